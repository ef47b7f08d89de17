/** A thread of the pool that carries out operations on files: see thread_queue.ts. @module */

import { ECANCELED, EINTR, EINVAL } from "../../errno.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { readPlace, writePlace } from "../../sys/place.ts";
import { fdatasync, fsync, ftruncate, poll, read } from "../../sys/raw/mod.ts";
import type { JobContext } from "../job.ts";
import { type Operation, SharedQueue, type SharedQueueMemory } from "./shared_queue.ts";

/** What a thread is told: the queue, and which thread it is. */
export interface ThreadData {
  readonly memory: SharedQueueMemory;
  readonly thread: number;
}

/**
 * Results of which the other side is told at once, as long as there is more to do: to wake it takes as
 * much processor time as a small read does.
 */
const TOGETHER = 4;

/** Notes in line from which there is more to do than this thread and its like are about to take. */
const PLENTY = 4;

/** Bytes of an operation that ends soon enough for a result to wait for it. */
const BRIEF = 64 * 1024;

/** Carries out what stands on the queue, and sleeps while it is empty. */
export function run(job: JobContext): void {
  const { memory, thread } = job.data as ThreadData;
  const queue = new SharedQueue(memory);
  const count = new Uint8Array(8);
  const note: Operation = { slot: 0, op: 0, fd: 0, address: 0, length: 0, offset: 0, flags: 0 };
  /** The file of a result that this thread has told nobody of; -1 when there is none. */
  let owed = -1;
  const tell = () => {
    owed = -1;
    if (!queue.tell()) return;
    job.complete(0, 0);
    job.flush();
  };
  while (!job.stopping()) {
    if (queue.take(note)) {
      // What waits for another operation waits for its own file, and not for long.
      if (owed >= 0 && (note.fd !== owed || note.op > 1 || note.length > BRIEF)) tell();
      const result = queue.begin(note.slot) ? carryOut(note) : ECANCELED;
      owed = note.fd;
      if (queue.finish(note.slot, result) >= TOGETHER || queue.waiting < PLENTY) tell();
      continue;
    }
    if (owed >= 0) tell();
    queue.sleep(thread, true);
    // What was pinned before the queue knew that this thread sleeps has woken nobody.
    if (queue.waiting === 0 && poll(job.wakeFd, PollEvent.IN, job.parkMs) > 0) {
      // Left readable when stopping, so that nobody parks again. There are no commands.
      if (!job.stopping()) read(job.wakeFd, count);
    }
    queue.sleep(thread, false);
  }
}

function carryOut(note: Operation): number {
  for (;;) {
    const result = call(note);
    if (result !== EINTR) return result;
  }
}

/** The numbers are those of `IoOp`. */
function call({ op, fd, address, length, offset, flags }: Operation): number {
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
