/** An open file, as the rest sees it: by system calls, or through the runtime's own fs. @module */

import { builtin } from "../../builtins.ts";
import { errnoNumber } from "../../errors.ts";
import { FileAdvice, SyncRangeFlag, Whence } from "../../sys/flags/file.ts";
import type { Mount } from "../../sys/file/mounts.ts";
import * as raw from "../../sys/raw/mod.ts";
import { knownSize, onMount } from "../../threads/blocking/files.ts";
import { IoOp, type IoQueue } from "../../threads/io_queue/types.ts";
import type { Block } from "../aligned/slabs.ts";

/** What runs the operations: the kernel's ring, threads of our own, or the runtime. */
export type DirectEngine = "ring" | "threads" | "runtime";

/** A descriptor and what can be done to it. Counts are as in the kernel's convention: `-errno` on failure. */
export interface Backing {
  readonly engine: DirectEngine;
  /** Bytes of the file, or of the device. */
  size(): number;
  /** Starts an operation: see {@linkcode IoQueue.start}. */
  start(
    op: number,
    block: Block | null,
    at: number,
    length: number,
    offset: number,
    flags: number,
    done: (result: number) => void,
  ): number;
  /** Asks for the end of an operation. */
  cancel(ticket: number): void;
  /** Drops clean pages; a length of 0 is to the end. */
  drop(offset: number, length: number): number;
  /** Starts to write dirty pages. */
  push(offset: number, length: number): void;
  /** Closes it; nothing may be in flight. */
  close(): number | Promise<number>;
}

/** A file of ours, by system calls; `far` is its mount, where another machine or program has it. */
export function systemFile(fd: number, queue: IoQueue, far: Mount | undefined): Backing {
  return {
    engine: queue.kind,
    // Of a device, too, unlike what stat tells. Nothing here uses the position that this moves.
    // Of what is far away, as much as this machine knows.
    size: () => far === undefined ? raw.lseek(fd, 0, Whence.END) : knownSize(fd),
    start(op, block, at, length, offset, flags, done) {
      const region = block === null ? null : block.region;
      const request = { op, fd, region, at, length, offset, flags, far: far !== undefined };
      return queue.start(request, done);
    },
    cancel: (ticket) => queue.cancel(ticket),
    drop: (offset, length) => raw.posixFadvise(fd, offset, length, FileAdvice.DONTNEED),
    push: (offset, length) => void raw.syncFileRange(fd, offset, length, SyncRangeFlag.WRITE),
    close: () => far === undefined ? raw.close(fd) : onMount(far, "close", fd),
  };
}

const EIO = errnoNumber("EIO");

/**
 * A file of the runtime's, where system calls cannot be made. The page cache is left to itself.
 *
 * @param deviceSize Bytes of a device, of which fstat(2) says 0.
 */
export function runtimeFile(fd: number, deviceSize: number | undefined): Backing {
  const fs = builtin("fs");
  return {
    engine: "runtime",
    size: () => deviceSize ?? fs.fstatSync(fd).size,
    start(op, block, at, length, offset, _, done) {
      const settle = (error: Error | null, count = 0) => done(error ? -codeOf(error) : count);
      const from = block === null ? 0 : at - block.at;
      if (op === IoOp.READ) fs.read(fd, block!.bytes, from, length, offset, settle);
      else if (op === IoOp.WRITE) fs.write(fd, block!.bytes, from, length, offset, settle);
      else if (op === IoOp.FSYNC) fs.fsync(fd, (error) => settle(error));
      else if (op === IoOp.FDATASYNC) fs.fdatasync(fd, (error) => settle(error));
      else fs.ftruncate(fd, offset, (error) => settle(error));
      return 0;
    },
    cancel() {},
    drop: () => 0,
    push() {},
    close: () =>
      new Promise<number>((resolve) => {
        fs.close(fd, (error) => resolve(error ? -codeOf(error) : 0));
      }),
  };
}

function codeOf(error: Error): number {
  return errnoNumber(String((error as { code?: unknown }).code)) || EIO;
}
