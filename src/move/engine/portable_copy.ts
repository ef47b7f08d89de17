/** The portable way: through the memory of JavaScript, by the runtime's own writes. @module */

import { SyscallError, UnsupportedError } from "../../errors.ts";
import { connectionClosed } from "./connection/closed.ts";
import { drive } from "./driver.ts";
import type { TransferProgress } from "./progress.ts";
import { readSome } from "./read_some.ts";

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

/**
 * Bytes that are read at once: twice as many each time while the connection takes them faster than
 * somebody far away would, and few again after it has not. Under Express on Bun a file of 1 MiB cost
 * 0.8 of the CPU time of `express.static` with 64 KiB throughout, 0.6 to 0.8 like this, and 0.5 with
 * 256 KiB from the start (Linux 6.18); but so much must not be held for everybody who reads slowly.
 */
const LEAST = 64 * 1024;
const MOST = 256 * 1024;
const QUICK_MS = 10;

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
  progress: TransferProgress,
): Promise<void> {
  let chunk = LEAST;
  let left = length;
  const steps = {
    method: "copy",
    patient: true,
    next: () => progress.allowed(Math.min(chunk, left)),
    async step(count: number) {
      const read = readSome(file, start + length - left, count, progress.bytes);
      const bytes = read instanceof Uint8Array ? read : await read;
      // Neither this read nor a write that is only queued would let anybody else have the event loop.
      if (bytes === read) await new Promise((resolve) => setImmediate(resolve));
      if (bytes.length === 0) return 0;
      const sinceMs = performance.now();
      await taken(sink.write(bytes), progress);
      const quick = performance.now() - sinceMs < QUICK_MS;
      chunk = quick ? Math.min(2 * chunk, MOST) : LEAST;
      return bytes.length;
    },
    moved: (count: number) => void (left -= count),
    wait() {},
  };
  if (await drive(steps, progress) === 0) throw progress.truncated(`send fd ${file}`);
}

/**
 * Waits until the connection has taken a write. A peer that does not read cannot hold up an abort.
 *
 * @throws {SyscallError} When the connection is gone.
 * @throws {AbortError} When the signal fired.
 */
export async function taken(write: Promise<unknown>, progress: TransferProgress): Promise<void> {
  try {
    await progress.unlessAborted(write);
  } catch (cause) {
    if (progress.aborted) throw progress.abortError();
    if (cause instanceof SyscallError || cause instanceof UnsupportedError) throw cause;
    throw connectionClosed({ syscall: "write", bytesMoved: progress.bytes, cause });
  }
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
