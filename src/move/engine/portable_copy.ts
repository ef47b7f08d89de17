/** The portable way: through the memory of JavaScript, by the runtime's own writes. @module */

import { builtin } from "../../builtins.ts";
import { asSyscallError, SyscallError } from "../../errors.ts";
import { bringIn } from "../../page_cache/prefetch.ts";
import { preadResident } from "../../page_cache/resident.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { isLocal, readRemote } from "../../threads/blocking/files.ts";
import { type Sink, taken } from "./connection/sink.ts";
import { drive } from "./driver.ts";
import type { TransferProgress } from "./progress.ts";
import { heldBytes } from "./file/pseudo_files.ts";

/**
 * Minimum and maximum bytes of one read. The size doubles while the connection takes the bytes within
 * {@linkcode QUICK_MS}, and drops to the minimum after it has not. Large reads cost less CPU time (see
 * `npm run bench -- middleware`), but a slow reader would hold as much memory.
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
      // Neither this read nor a queued write gives other events of the loop a turn.
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
  if (await drive(steps, progress) === 0) throw progress.truncated(`send ${progress.nameOf(file)}`);
}

/**
 * Reads up to `length` bytes from `position` on; none at the end of the file.
 *
 * Copies cached pages at once. A thread of the runtime or of sluice reads all others, so the
 * descriptor must stay open until the promise settles.
 *
 * @throws {SyscallError} When the file cannot be read; `bytesMoved` is what the caller has moved before.
 */
export function readSome(
  fd: number,
  position: number,
  length: number,
  bytesMoved = 0,
): Uint8Array | Promise<Uint8Array> {
  const held = heldBytes(fd);
  if (held !== undefined) return held.subarray(position, position + length);
  // Don't zero memory that is overwritten anyway: on Bun, zeroing takes a part of the time of a copy.
  const bytes = builtin("buffer").Buffer.allocUnsafeSlow(length);
  if (!available()) return readByRuntime(fd, position, bytes, bytesMoved);
  const count = preadResident(fd, bytes, position);
  if (count > 0) return bytes.subarray(0, count);
  // The runtime has few threads for all its files, so a mount that never answers must not block them.
  return isLocal(fd)
    ? readByRuntime(fd, position, bytes, bytesMoved)
    : readFar(fd, position, bytes, bytesMoved);
}

function readByRuntime(
  fd: number,
  position: number,
  bytes: Uint8Array,
  bytesMoved: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    builtin("fs").read(fd, bytes, 0, bytes.length, position, (error, count) => {
      if (!error) resolve(bytes.subarray(0, count));
      // Deno knows only the descriptors that it opened itself.
      else if ((error as NodeJS.ErrnoException).code === "EBADF" && available()) {
        resolve(readByThread(fd, position, bytes, bytesMoved));
      } else reject(asSyscallError(error, "read", `read fd ${fd}`, bytesMoved));
    });
  });
}

async function readFar(
  fd: number,
  position: number,
  bytes: Uint8Array,
  bytesMoved: number,
): Promise<Uint8Array> {
  return filled(await readRemote(fd, bytes, position), fd, bytes, bytesMoved);
}

async function readByThread(
  fd: number,
  position: number,
  bytes: Uint8Array,
  bytesMoved: number,
): Promise<Uint8Array> {
  await bringIn(fd, position, bytes.length);
  return filled(raw.pread(fd, bytes, position), fd, bytes, bytesMoved);
}

function filled(count: number, fd: number, bytes: Uint8Array, bytesMoved: number): Uint8Array {
  if (count >= 0) return bytes.subarray(0, count);
  const action = `read fd ${fd}`;
  throw new SyscallError({ syscall: "pread", errno: -count, action, bytesMoved });
}
