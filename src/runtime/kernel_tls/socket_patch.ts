/** Changes to a `TLSSocket` whose records pass through a tunnel. @module */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Properties that a `TLSSocket` asks of a handle, which a stream lacks. */
const ADDRESSES = [
  "remoteAddress",
  "remoteFamily",
  "remotePort",
  "localAddress",
  "localFamily",
  "localPort",
] as const;

const METHODS = ["address", "setNoDelay", "setKeepAlive", "ref", "unref"] as const;

/** Has a TLS socket answer with the addresses, and change the options, of the TCP socket below it. */
export function lendIdentity(socket: TLSSocket, raw: Socket): void {
  for (const name of ADDRESSES) {
    Object.defineProperty(socket, name, { configurable: true, get: () => raw[name] });
  }
  for (const name of METHODS) {
    const value = (...args: unknown[]) => {
      const result = (raw[name] as (...args: unknown[]) => unknown).apply(raw, args);
      return result === raw ? socket : result;
    };
    Object.defineProperty(socket, name, { configurable: true, writable: true, value });
  }
}

type Done = (error?: Error | null) => void;

/** The functions by which a stream passes on what is written to it: see `stream.Writable`. */
interface Writes {
  _write(chunk: Uint8Array | string, encoding: BufferEncoding, done: Done): void;
  _writev(chunks: { chunk: Uint8Array | string; encoding: BufferEncoding }[], done: Done): void;
}

/** Sends what is written to `socket` as plaintext to `raw`, which the kernel encrypts. */
export function writeTo(socket: TLSSocket, raw: Socket): void {
  const finished = (done: Done): Done => (error) => {
    touch(socket);
    done(error);
  };
  const writes: Writes = {
    _write(chunk, encoding, done) {
      touch(socket);
      raw.write(chunk, encoding, finished(done));
    },
    _writev(chunks, done) {
      touch(socket);
      raw.cork();
      chunks.forEach(({ chunk, encoding }, index) => {
        const last = index === chunks.length - 1;
        raw.write(chunk, encoding, last ? finished(done) : undefined);
      });
      raw.uncork();
    },
  };
  Object.assign(socket, writes);
}

/** Resets the idle timer, as a write of the runtime does. */
function touch(socket: TLSSocket): void {
  if ((socket.timeout ?? 0) > 0 && !socket.destroyed) socket.setTimeout(socket.timeout!);
}
