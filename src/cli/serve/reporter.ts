/** Reports the events of `sluice serve`: live on a terminal, as log lines or as JSON. @module */

import process from "node:process";
import type { FileServerStats, RequestEvent } from "../../http/mod.ts";
import { formatJson } from "../../http/server/thread/log_format.ts";
import { formatBytes } from "../../http/listing/text.ts";
import type { LocalCertificate } from "../../tls/certificate/local_certificate.ts";
import type { Pass } from "../compress/compressor.ts";
import { shown, shownLines, write } from "../output.ts";
import { counted } from "../quantity.ts";
import { painter } from "../style.ts";
import type { Urls } from "./addresses.ts";
import { Downloads } from "./downloads.ts";
import { requestLine } from "./lines.ts";
import { Traffic } from "./traffic.ts";

/** Facts to report once the server listens. */
export interface Listening extends Urls {
  readonly root: string;
  /** Further folders, by path or host. */
  readonly folders: readonly (readonly [name: string, root: string])[];
  /** How the bytes are sent, or how to trust the certificate. */
  readonly note: string;
  /** The certificate, if the command made it. */
  readonly certificate: LocalCertificate | undefined;
  /** URL of the counters for Prometheus, if they are served. */
  readonly metrics: string | undefined;
  /** Returns the server's counters. */
  stats(): FileServerStats;
}

/** Reports on a server until it stops. */
export interface Reporter {
  /** Most requests per second that it needs to hear of; 0 for none. */
  readonly eventsPerSecond: number;
  /** A port is in use; the next one is tried. */
  taken(port: number): void;
  /** The certificate was reloaded. */
  reloaded(cert: string): void;
  /** Something failed, and the server continues. */
  warn(message: string): void;
  /** Files were compressed. */
  compressed(pass: Pass): void;
  /** The server listens. */
  listening(info: Listening): Promise<void>;
  /** A request ended, or a large one made progress. */
  request(event: RequestEvent): void;
  /** The server waits for running responses. */
  draining(): void;
  /** The server has closed. */
  stop(stats: FileServerStats): void;
}

/** Interval of live updates, in milliseconds. */
const LIVE_MS = 200;

/** Lines per second of the live display: nobody reads faster. Further requests are only counted. */
const LINES_PER_SECOND = 20;

/** Creates the reporter for the output. */
export function createReporter({ json, quiet }: { json: boolean; quiet: boolean }): Reporter {
  return json ? new JsonReporter() : new TextReporter(quiet);
}

class JsonReporter implements Reporter {
  readonly eventsPerSecond = Infinity;

  taken(port: number): void {
    this.#say({ event: "taken", port });
  }

  warn(message: string): void {
    this.#say({ event: "warning", message });
  }

  compressed({ from, made, to }: Pass): void {
    this.#say({ event: "compressed", made, from, to });
  }

  reloaded(cert: string): void {
    this.#say({ event: "reloaded", certificate: cert });
  }

  listening(
    { certificate, folders, local, metrics, network, root }: Listening,
  ): Promise<void> {
    const tls = certificate &&
      { certificate: certificate.cert, fingerprint: certificate.fingerprint };
    const more = folders.length > 0 && { folders: Object.fromEntries(folders) };
    this.#say({ event: "listening", root, ...more, local, network, ...tls, metrics });
    return Promise.resolve();
  }

  request(event: RequestEvent): void {
    this.#say({ event: "request", ...event, time: new Date(event.time).toISOString() });
  }

  draining(): void {
    this.#say({ event: "draining" });
  }

  stop(stats: FileServerStats): void {
    this.#say({ event: "closed", ...stats });
  }

  #say(event: object): void {
    write(formatJson(event));
  }
}

class TextReporter implements Reporter {
  readonly #quiet: boolean;
  readonly #live = process.stdout.isTTY === true;
  readonly #paint = painter();
  readonly #downloads = new Downloads();
  #traffic: Traffic | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Lines of the live display at the bottom of the terminal. */
  #drawn = 0;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  get eventsPerSecond(): number {
    if (this.#quiet) return 0;
    return this.#live ? LINES_PER_SECOND : Infinity;
  }

  taken(port: number): void {
    this.#say(this.#paint("yellow", `Port ${port} is in use, trying ${port + 1}`));
  }

  warn(message: string): void {
    this.#say(this.#paint("yellow", shownLines(message)));
  }

  compressed({ from, made, to }: Pass): void {
    if (this.#quiet) return;
    const versions = counted(made, "compressed version");
    this.#say(`Made ${versions}: ${formatBytes(to)} for ${formatBytes(from)}`);
  }

  reloaded(cert: string): void {
    if (!this.#quiet) this.#say(`Read the certificate ${cert} again`);
  }

  async listening(
    { folders, local, metrics, network, note, root, stats }: Listening,
  ): Promise<void> {
    const paint = this.#paint;
    if (this.#quiet) return this.#say(local);
    this.#say(`${paint("bold", "Serving")} ${shown(root)}`);
    for (const [name, folder] of folders) {
      this.#say(`  ${paint("dim", shown(name))}  ${shown(folder)}`);
    }
    this.#say(`  ${paint("dim", "Local")}    ${paint("cyan", local)}`);
    for (const url of network) this.#say(`  ${paint("dim", "Network")}  ${paint("cyan", url)}`);
    if (metrics !== undefined) this.#say(`  ${paint("dim", "Metrics")}  ${paint("cyan", metrics)}`);
    this.#say(note);
    if (network.length === 0) {
      this.#say(paint("dim", "Only this machine can see it; --host shows it to the network"));
    } else if (this.#live) {
      const { renderUnicodeCompact } = await import("uqr");
      const code = renderUnicodeCompact(network[0]!, { border: 2 }).split("\n");
      this.#say(code.map((line) => paint("whiteOnBlack", line)).join("\n"));
    }
    if (!this.#live) return;
    this.#traffic = new Traffic(stats);
    this.#timer = setInterval(() => this.#draw(), LIVE_MS).unref();
  }

  request(event: RequestEvent): void {
    if (this.#quiet) return;
    this.#downloads.update(event);
    if (event.state === "running") return;
    if (this.#traffic !== undefined) this.#traffic.shown++;
    this.#say(requestLine(event, this.#paint));
  }

  draining(): void {
    if (!this.#quiet) this.#say("Waiting for downloads to end; press Ctrl-C again to end now");
  }

  stop({ bytes, requests }: FileServerStats): void {
    clearInterval(this.#timer);
    this.#downloads.clear();
    this.#traffic = undefined;
    if (this.#quiet) return;
    this.#say(`Closed after ${counted(requests, "request")}, ${formatBytes(bytes)}`);
  }

  /** Prints a line above the live display. */
  #say(line: string): void {
    this.#erase();
    write(`${line}\n`);
    this.#draw();
  }

  #erase(): void {
    if (this.#drawn > 0) write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    if (!this.#live) return;
    const { columns = 80, rows = 24 } = process.stdout;
    const now = performance.now();
    const lines = [
      ...this.#downloads.lines(columns, rows - 5, now, this.#paint),
      ...this.#traffic?.lines(columns, now, this.#paint) ?? [],
    ];
    this.#erase();
    if (lines.length > 0) write(`${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }
}
