/** An open file behind one interface: system calls, or the runtime's own fs. @module */

import { builtin } from "../../builtins.ts";
import { FileAdvice, SyncRangeFlag, Whence } from "../../sys/flags/file.ts";
import type { Mount } from "../../sys/file/mounts.ts";
import * as raw from "../../sys/raw/mod.ts";
import { knownSize, onMount } from "../../threads/blocking/files.ts";
import { codeOf, startByRuntime } from "../../threads/io_queue/runtime_queue.ts";
import type { IoQueue } from "../../threads/io_queue/types.ts";
import type { Block } from "../aligned/slabs.ts";

/** What runs the operations: io_uring, sluice's own threads, or the runtime. */
export type DirectEngine = "ring" | "threads" | "runtime";

/** A descriptor and its operations. Results follow the kernel's convention: `-errno` on failure. */
export interface Backing {
  readonly engine: DirectEngine;
  /** Size of the file or device in bytes. */
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
  /** Requests cancellation of an operation. */
  cancel(ticket: number): void;
  /** Drops clean pages from the page cache; a length of 0 means to the end of the file. */
  drop(offset: number, length: number): number;
  /** Starts writeback of dirty pages. */
  push(offset: number, length: number): void;
  /** Closes the file; no operation may be in flight. */
  close(): number | Promise<number>;
}

/**
 * A file that sluice opened, by system calls; `far` is its mount if another machine or program
 * holds it.
 */
export function systemFile(fd: number, queue: IoQueue, far: Mount | undefined): Backing {
  return {
    // It changes when the queue finds that it cannot start threads.
    get engine() {
      return queue.kind;
    },
    // Works for devices too, where stat reports 0. Nothing here uses the position that lseek moves.
    // For a remote file, the size is what this machine knows.
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

/**
 * A file that the runtime opened, where system calls are unavailable. Leaves the page cache alone.
 *
 * @param deviceSize Size of a block device in bytes, of which fstat(2) reports 0.
 */
export function runtimeFile(fd: number, deviceSize: number | undefined): Backing {
  const fs = builtin("fs");
  return {
    engine: "runtime",
    size: () => deviceSize ?? fs.fstatSync(fd).size,
    start(op, block, at, length, offset, _, done) {
      const from = block === null ? 0 : at - block.at;
      startByRuntime({ op, fd, at: from, length, offset }, block?.bytes, done);
      return 0;
    },
    cancel() {},
    drop: () => 0,
    push() {},
    close: () =>
      new Promise<number>((resolve) => {
        fs.close(fd, (error) => resolve(error ? codeOf(error) : 0));
      }),
  };
}
