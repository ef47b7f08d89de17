/** Moves a file through io_uring: several blocks in flight, few system calls. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import * as raw from "../../sys/raw/mod.ts";
import { baseOf } from "../../sys/region.ts";
import { Uring, UringOp } from "../../sys/uring.ts";
import { failure } from "./calls.ts";
import type { Io } from "./method.ts";

/** Number of blocks in flight, and bytes per block. */
const DEPTH = 8;
const BLOCK = 256 * 1024;

const READ_WRITE = 3;
const PRIVATE = platform.map.PRIVATE | platform.map.ANONYMOUS;

/** A block in flight: `done` of its `length` bytes, at `offset` of the file. */
interface Block {
  state: "free" | "reading" | "waiting" | "writing";
  offset: number;
  length: number;
  done: number;
}

/**
 * Reads up to eight blocks at a time and writes each as soon as it has arrived. A file takes blocks
 * in any order; a stream takes them in order, one at a time.
 */
export function ringCopy({ source, size, outs: [out = -1], target, calls }: Io): void {
  const memory = calls.other("mmap", () => raw.mmap(DEPTH * BLOCK, READ_WRITE, PRIVATE, -1, 0));
  const base = baseOf(memory);
  const ring = calls.other("io_uring_setup", () => new Uring(DEPTH));
  // More calls that create the ring: see `Uring`.
  calls.made("mmap", 2);
  calls.made("madvise", 2);
  calls.made("io_uring_register", 1);
  const blocks = Array.from(
    { length: DEPTH },
    (): Block => ({ state: "free", offset: 0, length: 0, done: 0 }),
  );
  const anywhere = target === "file";
  let asked = 0;
  let written = 0;

  const prepare = (block: Block) => {
    const { state, offset, length, done } = block;
    const slot = blocks.indexOf(block);
    const [op, fd] = state === "reading" ? [UringOp.READ, source] : [UringOp.WRITE, out];
    // A stream has no offsets. It needs 0.
    const place = state === "reading" || anywhere ? offset + done : 0;
    ring.prepare(op, 0, fd, base + slot * BLOCK + done, length - done, place, 0, slot, 0);
  };

  const advance = () => {
    for (const block of blocks) {
      if (block.state === "free" && asked < size) {
        const length = Math.min(BLOCK, size - asked);
        Object.assign(block, { state: "reading", offset: asked, length, done: 0 });
        asked += length;
        prepare(block);
      } else if (block.state === "waiting" && (anywhere || block.offset === written)) {
        Object.assign(block, { state: "writing", done: 0 });
        prepare(block);
      }
    }
  };

  const completed = (slot: number, _: number, result: number) => {
    const block = blocks[slot]!;
    const reading = block.state === "reading";
    if (result < 0) throw failure(`io_uring ${reading ? "read" : "write"}`, -result);
    if (result === 0) throw new Error("the file was truncated");
    calls.crossed(reading ? result : 0, reading ? 0 : result);
    block.done += result;
    if (block.done < block.length) return prepare(block);
    if (!reading) written += block.length;
    block.state = reading ? "waiting" : "free";
  };

  try {
    while (written < size) {
      advance();
      if (ring.prepared > 0) calls.other("io_uring_enter", () => ring.enter());
      if (!ring.ready) calls.other("io_uring_enter", () => ring.wait());
      ring.reap(completed);
    }
  } finally {
    ring.close();
    // After a failure the kernel may still write there until its cancellation ends: keep the
    // memory.
    if (written === size) calls.other("munmap", () => raw.munmap(memory));
  }
}
