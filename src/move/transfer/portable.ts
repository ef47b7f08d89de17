/** Transfers where the system cannot be called: through the runtime's own reads and writes. @module */

import { builtin } from "../../builtins.ts";
import { resolveRange } from "../../options.ts";
import { libc } from "../../sys/libc.ts";
import { copyRange, type Sink } from "../engine/portable_copy.ts";
import { TransferProgress } from "../engine/progress.ts";
import { runtimeSink, type RuntimeTarget } from "./runtime_endpoints.ts";
import { openSource } from "../engine/file/open_file.ts";
import { asSyscallError } from "../../errors.ts";
import { reporting } from "./report.ts";
import type { TransferOptions, TransferReport } from "./options.ts";

/**
 * Copies from a file. What has no positions would be read by a thread of the runtime's pool, which
 * nothing could call back: it is refused.
 *
 * @throws {UnsupportedError} When `method` is not "auto" or "copy", or an end is no file.
 */
export async function portableFromFile(
  fd: number,
  target: RuntimeTarget | number,
  options: TransferOptions,
): Promise<TransferReport> {
  const { method = "auto" } = options;
  // Throws, and says what is missing.
  if (method !== "auto" && method !== "copy") libc();
  const source = await openSource(fd, undefined, options.signal);
  const range = resolveRange(options, source.size, "transfer bytes");
  const sink = typeof target === "number"
    ? portableSink(target, options.targetOffset)
    : runtimeSink(target);
  const progress = new TransferProgress(options, range.length);
  return await reporting(progress, async () => {
    try {
      await copyRange(source.fd, range, sink, progress);
    } finally {
      source.close();
    }
    if (typeof target !== "number" && target.kind === "response") target.response.end();
  });
}

/**
 * Writes to a file by the runtime's pool; at its position, unless there is an offset. For anything
 * else the first write is refused by an `UnsupportedError`.
 */
export function portableSink(fd: number, offset: number | undefined): Sink {
  const { fstat, write } = builtin("fs");
  const action = `write to fd ${fd}`;
  const isFile = () =>
    new Promise<boolean>((resolve, reject) => {
      fstat(fd, (error, stats) => {
        if (error) reject(asSyscallError(error, "fstat", action));
        else resolve(stats.isFile());
      });
    });
  let known = false;
  let position = offset;
  const some = (bytes: Uint8Array) =>
    new Promise<number>((resolve, reject) => {
      write(fd, bytes, 0, bytes.length, position ?? null, (error, written) => {
        if (error) reject(asSyscallError(error, "write", action));
        else resolve(written);
      });
    });
  return {
    async write(bytes) {
      // Throws, and says what is missing.
      if (!known && !await isFile()) libc();
      known = true;
      while (bytes.length > 0) {
        const written = await some(bytes);
        if (position !== undefined) position += written;
        bytes = bytes.subarray(written);
      }
    },
    destroy() {},
  };
}
