/** The portable way: through the memory of JavaScript, by the runtime's own writes. @module */

import { builtin } from "../builtins.ts";
import { SyscallError, TruncatedError, UnsupportedError } from "../errors.ts";
import * as raw from "../sys/raw/mod.ts";
import { available } from "../sys/libc.ts";
import { connectionClosed } from "./closed.ts";
import type { Flow } from "./flow.ts";
import { asSyscallError } from "./source.ts";

/** Whatever takes bytes in order and says when it wants more. */
export interface Sink {
  /**
   * Takes all of `bytes`; settles once more may follow, and rejects when the connection is closed.
   * The memory is not used again by us.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Cuts the connection: see `Guest.destroy`. */
  destroy(): void;
}

/** Bytes that are read at once: larger ones bring nothing on a socket. */
const CHUNK = 64 * 1024;

/**
 * Copies `length` bytes of `file` from `start` to `sink`.
 *
 * @throws {TruncatedError} When the file ends before that.
 * @throws {SyscallError} When the file cannot be read, or the connection is gone.
 * @throws {AbortError} When the signal fired.
 */
export async function copyRange(
  file: number,
  { start, length }: { start: number; length: number },
  sink: Sink,
  flow: Flow,
): Promise<void> {
  for (let position = start; position < start + length;) {
    if (flow.aborted) throw flow.abortError();
    const allowed = flow.allowance(Math.min(CHUNK, start + length - position));
    if (allowed === 0) {
      await new Promise((resolve) => setTimeout(resolve, flow.pauseMs()));
      continue;
    }
    const bytes = await readSome(file, position, allowed, flow.bytes);
    if (bytes.length === 0) {
      throw new TruncatedError({
        action: `send fd ${file}`,
        bytesMoved: flow.bytes,
        bytesExpected: flow.total,
      });
    }
    await taken(sink.write(bytes), flow);
    position += bytes.length;
    flow.moved(bytes.length, "copy");
  }
}

/**
 * Waits until the connection has taken a write. A peer that does not read cannot hold up an abort.
 *
 * @throws {SyscallError} When the connection is gone.
 * @throws {AbortError} When the signal fired.
 */
export async function taken(write: Promise<unknown>, flow: Flow): Promise<void> {
  try {
    await flow.unlessAborted(write);
  } catch (cause) {
    if (flow.aborted) throw flow.abortError();
    if (cause instanceof SyscallError || cause instanceof UnsupportedError) throw cause;
    throw connectionClosed({ syscall: "write", bytesMoved: flow.bytes, cause });
  }
}

/** Reads in the runtime's thread pool, where the disk holds nobody up. */
function readSome(
  file: number,
  position: number,
  length: number,
  bytesMoved: number,
): Promise<Uint8Array> {
  const action = `read fd ${file}`;
  const bytes = new Uint8Array(length);
  return new Promise((resolve, reject) => {
    builtin("fs").read(file, bytes, 0, length, position, (error, count) => {
      if (!error) return resolve(bytes.subarray(0, count));
      // Deno knows only the descriptors that it opened itself.
      const own = (error as NodeJS.ErrnoException).code === "EBADF" && available()
        ? raw.pread(file, bytes, position)
        : undefined;
      if (own === undefined) reject(asSyscallError(error, "read", action, bytesMoved));
      else if (own >= 0) resolve(bytes.subarray(0, own));
      else reject(new SyscallError({ syscall: "pread", errno: -own, action, bytesMoved }));
    });
  });
}

/** A sink on a Node.js stream: a socket, or a response of whatever kind. */
export function streamSink(
  stream: NodeJS.WritableStream & { destroy(): unknown; destroyed?: boolean },
): Sink {
  return {
    write(bytes) {
      return new Promise((resolve, reject) => {
        if (stream.destroyed) return reject(new Error("The stream has been closed"));
        // A response whose peer goes away never calls back, and says so by `close` alone.
        const close = () => settle(new Error("The stream has been closed"));
        const settle = (error?: Error | null) => {
          stream.removeListener("close", close);
          stream.removeListener("error", settle);
          if (error) reject(error);
          else resolve();
        };
        stream.once("close", close);
        stream.once("error", settle);
        stream.write(bytes, settle);
      });
    },
    destroy: () => void stream.destroy(),
  };
}
