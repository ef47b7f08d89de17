/** Ends for broadcasts: sources of every kind, and peers that can be stopped. @module */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Pipe } from "../../src/mod.ts";
import * as raw from "../../src/sys/raw/mod.ts";
import { Reader } from "../_kit/bytes.ts";
import { destroyed, HOST, listen, stop } from "../_kit/targets_net.ts";

/** A pipe that yields bytes in pieces of `step`, and then ends. */
export function pipeOf(bytes: Uint8Array, step = 300_000): Pipe {
  const pipe = new Pipe({ capacity: 1024 * 1024 });
  let position = 0;
  const write = () => {
    while (position < bytes.length && pipe.writeFd >= 0) {
      const count = raw.write(pipe.writeFd, bytes.subarray(position, position + step));
      if (count < 0) return void setTimeout(write, 1);
      position += count;
    }
    pipe.closeWrite();
  };
  write();
  return pipe;
}

/** A stream of Node.js that yields bytes in pieces of `step`. */
export function streamOf(bytes: Uint8Array, step = 100_000): Readable {
  return Readable.from((function* () {
    for (let i = 0; i < bytes.length; i += step) yield bytes.subarray(i, i + step);
  })());
}

/** A connection whose peer may stop reading. */
export interface Peer {
  readonly target: Socket;
  readonly socket: Socket;
  /** Collects what arrives; not before it is asked for, so that the peer stands still until then. */
  read(): Reader;
  close(): Promise<void>;
}

/** Opens connections to a server of their own. */
export async function peers(count: number): Promise<{ all: Peer[]; close(): Promise<void> }> {
  const server = createServer();
  const port = await listen(server);
  const all: Peer[] = [];
  for (let i = 0; i < count; i++) {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const socket = connect(port, HOST);
    socket.on("error", () => {}).pause();
    const [target] = await accepted;
    target.on("error", () => {}).resume();
    let reader: Reader | undefined;
    all.push({
      target,
      socket,
      read() {
        if (reader === undefined) {
          reader = new Reader(socket);
          socket.resume();
        }
        return reader;
      },
      close: async () => {
        await Promise.all([destroyed(target), destroyed(socket)]);
      },
    });
  }
  return {
    all,
    async close() {
      await Promise.all(all.map((peer) => peer.close()));
      await stop(server);
    },
  };
}

/** Waits for a condition; fails when it does not come true. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (condition()) return;
    await sleep(10);
  }
  throw new Error(`Waited too long: ${what}`);
}
