/** Passes the events of the threads to the program. @module */

import { adopt, type AdoptedSocket } from "../../../runtime/adopt.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { AddressFamily, SocketType } from "../../../sys/flags/socket.ts";
import { socketpair } from "../../../sys/net/sockets.ts";
import { within } from "../../../threads/timeout.ts";
import type { RequestEvent } from "../thread/log_format.ts";

const STREAM = SocketType.STREAM | SocketType.NONBLOCK | SocketType.CLOEXEC;

/** Milliseconds to wait for the last events. */
const EVENTS_MS = 500;

/** Sockets on which threads write events and the program reads them. */
export class EventReader {
  readonly #onRequest: (event: RequestEvent) => void;
  readonly #sockets: { readonly socket: AdoptedSocket; readonly ended: Promise<void> }[] = [];

  /** Passes each event to `onRequest`. */
  constructor(onRequest: (event: RequestEvent) => void) {
    this.#onRequest = onRequest;
  }

  /** Returns a descriptor for one more thread to write to; the thread owns it. */
  open(): number {
    const [reader, writer] = socketpair(AddressFamily.UNIX, STREAM);
    const { promise, resolve } = Promise.withResolvers<void>();
    try {
      const socket = adopt(reader, { data: lineReader(this.#onRequest), close: () => resolve() });
      this.#sockets.push({ socket, ended: promise });
    } catch (error) {
      for (const fd of [reader, writer]) raw.close(fd);
      throw error;
    }
    return writer;
  }

  /** Reads the last events once the threads have ended, then closes. */
  async close(): Promise<void> {
    const sockets = this.#sockets.splice(0);
    await within(Promise.all(sockets.map(({ ended }) => ended)), EVENTS_MS);
    for (const { socket } of sockets) socket.close();
  }
}

/** Splits a stream of bytes into lines and passes on each as an event. */
function lineReader(onRequest: (event: RequestEvent) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = "";
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const event = JSON.parse(line) as RequestEvent & { time: string | number };
      onRequest({ ...event, time: Date.parse(event.time as unknown as string) });
    }
  };
}
