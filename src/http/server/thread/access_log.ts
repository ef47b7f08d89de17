/**
 * Reports the requests of a thread: when each response is sent, and the progress of large ones.
 * @module
 */

import { decodeAddress, MAX_ADDRESS } from "../../../sys/net/address.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { formatCombined, formatEvent, type RequestEvent } from "./log_format.ts";
import type { LogWriter } from "./log_writer.ts";
import { Sampler } from "./sampler.ts";
import type { Reply } from "../response/response.ts";
import type { RequestHead } from "../parser/request_head.ts";
import type { ConnectionHandle, ProxiedEntry } from "../connection/contracts.ts";

/** Smallest body, in bytes, whose progress is reported. */
const LARGE = 1024 * 1024;

/** Minimum milliseconds between two reports of one body. */
const EVERY_MS = 100;

/** A response in progress. */
interface LogEntry {
  readonly event: Omit<RequestEvent, "bytes" | "durationMs" | "state">;
  readonly began: number;
  /** Positions of the body's first byte and of its end in the connection's output. */
  readonly body: number;
  readonly end: number;
  reported: number;
  /** Whether its end is reported to the program; `undefined` if that depends on the end. */
  told: true | undefined;
}

interface Track {
  readonly client: string;
  /** Total bytes of all responses so far. */
  length: number;
  readonly entries: LogEntry[];
  /** A forwarded request that is answered here after all. */
  begun: Pick<LogEntry, "began"> & { readonly event: Described } | undefined;
}

/** Writers and format. */
export interface AccessLogOptions {
  /** Writer of the log file. */
  readonly log: LogWriter | null;
  readonly format: "combined" | "json";
  /** Writer to the program that started the server. */
  readonly events: LogWriter | null;
  /** Most requests per second to report to the program. */
  readonly eventsPerSecond: number;
  /** Returns monotonic time in milliseconds. */
  now(): number;
}

let lastId = 0;

/** Follows the responses on all connections of a thread. */
export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #tracks = new Map<ConnectionHandle, Track>();
  readonly #sampler: Sampler;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#sampler = new Sampler(options.eventsPerSecond);
  }

  /** Records that a response is about to be sent: `headBytes`, then `bodyBytes`. */
  answered(
    connection: ConnectionHandle,
    head: RequestHead,
    reply: Reply,
    headBytes: number,
    bodyBytes: number,
  ): void {
    const track = this.#trackOf(connection);
    const now = this.#options.now();
    const body = track.length + headBytes;
    track.length = body + bodyBytes;
    const told = this.#sampler.takes(reply.status, now) || undefined;
    // A large response may turn out to be slow; of a small one, nothing else is worth a report.
    if (told === undefined && bodyBytes < LARGE && this.#options.log === null) {
      track.begun = undefined;
      return;
    }
    const { began, event } = track.begun ?? { began: now, event: described(track.client, head) };
    track.begun = undefined;
    track.entries.push({
      event: {
        ...event,
        status: reply.status,
        total: bodyBytes,
        ...(reply.error !== undefined && { error: reply.error }),
        transfer: transferOf(reply.file !== null && bodyBytes > 0, connection.transport.copies),
      },
      began,
      body,
      end: track.length,
      reported: now,
      told,
    });
  }

  /** Records that a request is being forwarded; every earlier response has been sent. */
  began(connection: ConnectionHandle, head: RequestHead): ProxiedEntry {
    const track = this.#trackOf(connection);
    const event = described(track.client, head);
    const began = this.#options.now();
    return {
      end: (status, bytes, state, error, received) => {
        track.length = connection.sender.total;
        const durationMs = this.#options.now() - began;
        const fault = {
          ...error !== undefined && { error },
          ...received !== undefined && { received },
        };
        const ended = { ...event, status, total: bytes, bytes, ...fault };
        this.#write({ ...ended, transfer: "relay", durationMs, state });
      },
      resume(received) {
        track.length = connection.sender.total;
        track.begun = { began, event: received === undefined ? event : { ...event, received } };
      },
    };
  }

  /** Records that bytes have been sent. */
  progress(connection: ConnectionHandle): void {
    const track = this.#tracks.get(connection);
    if (track === undefined) return;
    const { entries } = track;
    const { total } = connection.sender;
    while (entries.length > 0 && entries[0]!.end <= total) {
      this.#tell(entries.shift()!, total, "done");
    }
    const current = entries[0];
    if (current === undefined || this.#options.events === null) return;
    const now = this.#options.now();
    if (current.event.total < LARGE || now - current.reported < EVERY_MS) return;
    current.reported = now;
    current.told = true;
    this.#tell(current, total, "running");
  }

  /** Records that the connection has ended; unsent bytes are lost. */
  closed(connection: ConnectionHandle): void {
    const track = this.#tracks.get(connection);
    if (track === undefined) return;
    this.#tracks.delete(connection);
    for (const entry of track.entries) {
      this.#tell(entry, connection.sender.total, "aborted");
    }
  }

  /** Writes collected lines; call at the end. */
  flush(): void {
    this.#options.log?.flush();
    this.#options.events?.flush();
  }

  #trackOf(connection: ConnectionHandle): Track {
    let track = this.#tracks.get(connection);
    if (track === undefined) {
      const { fd, sender: { total } } = connection;
      track = { client: peerOf(fd), length: total, entries: [], begun: undefined };
      this.#tracks.set(connection, track);
    }
    return track;
  }

  #tell(entry: LogEntry, sent: number, state: RequestEvent["state"]): void {
    const bytes = Math.max(0, Math.min(sent, entry.end) - entry.body);
    const durationMs = this.#options.now() - entry.began;
    this.#write({ ...entry.event, bytes, durationMs, state }, entry.told);
  }

  #write(event: RequestEvent, told: boolean | undefined = undefined): void {
    const { format, log, events, now } = this.#options;
    if (events !== null && (told ?? this.#sampler.takesEnd(event, now()))) {
      events.add(formatEvent(event));
    }
    if (event.state !== "running") {
      log?.add(format === "json" ? formatEvent(event) : formatCombined(event));
    }
  }
}

function transferOf(file: boolean, copies: boolean): RequestEvent["transfer"] {
  return file ? copies ? "ssl-write" : "sendfile" : "memory";
}

type Described = ReturnType<typeof described> & Pick<RequestEvent, "received">;

/** Fields of the event that are known before the response. */
function described(client: string, head: RequestHead) {
  return {
    id: ++lastId,
    time: Date.now(),
    client,
    method: head.methodName,
    target: head.target,
    minor: head.minor,
    referer: head.header("referer") ?? "",
    userAgent: head.header("user-agent") ?? "",
  };
}

const clients = new WeakMap<object, string>();

/** {@linkcode peerOf} a connection, asked for once. */
export function clientOf(connection: { readonly fd: number }): string {
  let client = clients.get(connection);
  if (client === undefined) clients.set(connection, client = peerOf(connection.fd));
  return client;
}

/** Numeric address of the peer; `"unix"`, or empty if unknown. */
export function peerOf(fd: number): string {
  const bytes = new Uint8Array(MAX_ADDRESS);
  const length = raw.getpeername(fd, bytes);
  if (length <= 0) return "";
  const address = decodeAddress(bytes.subarray(0, length));
  return address.family === "Unix" ? "unix" : address.address;
}
