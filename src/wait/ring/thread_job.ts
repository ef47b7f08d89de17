/** A thread of the pool that carries out operations on files: see thread_queue.ts. @module */

import { errnoNumber } from "../../errors.ts";
import { PollEvent } from "../../sys/event_flags.ts";
import { readPlace, writePlace } from "../../sys/place.ts";
import { fdatasync, fsync, ftruncate, poll, read } from "../../sys/raw/mod.ts";
import type { JobContext } from "../job.ts";
import { Board, type BoardMemory, type Note } from "./board.ts";

/** What a thread is told: the board, and which thread it is. */
export interface ThreadData {
  readonly memory: BoardMemory;
  readonly thread: number;
}

const EINTR = -errnoNumber("EINTR");
const EINVAL = -errnoNumber("EINVAL");
const ECANCELED = -errnoNumber("ECANCELED");

/** Carries out what stands on the board, and sleeps while it is empty. */
export function run(job: JobContext): void {
  const { memory, thread } = job.data as ThreadData;
  const board = new Board(memory);
  const count = new Uint8Array(8);
  const note: Note = { slot: 0, op: 0, fd: 0, address: 0, length: 0, offset: 0, flags: 0 };
  while (!job.stopping()) {
    if (board.take(note)) {
      const result = board.begin(note.slot) ? carryOut(note) : ECANCELED;
      if (board.finish(note.slot, result)) {
        job.complete(0, 0);
        job.flush();
      }
      continue;
    }
    board.sleep(thread, true);
    // What was pinned before the board knew that this thread sleeps has woken nobody.
    if (board.waiting === 0 && poll(job.wakeFd, PollEvent.IN, job.parkMs) > 0) {
      // Left readable when stopping, so that nobody parks again. There are no commands.
      if (!job.stopping()) read(job.wakeFd, count);
    }
    board.sleep(thread, false);
  }
}

function carryOut(note: Note): number {
  for (;;) {
    const result = call(note);
    if (result !== EINTR) return result;
  }
}

/** The numbers are those of `IoOp`. */
function call({ op, fd, address, length, offset, flags }: Note): number {
  switch (op) {
    case 0:
      return readPlace(fd, address, length, offset, flags);
    case 1:
      return writePlace(fd, address, length, offset, flags);
    case 2:
      return fsync(fd);
    case 3:
      return fdatasync(fd);
    case 4:
      return ftruncate(fd, offset);
    default:
      return EINVAL;
  }
}
