/** A thread of the pool that runs file operations: see thread_queue.ts. @module */

import { ECANCELED } from "../../errno.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { poll, read } from "../../sys/raw/mod.ts";
import type { JobContext } from "../job.ts";
import { carryOut } from "./carry_out.ts";
import { type Operation, SharedQueue, type SharedQueueMemory } from "./shared_queue.ts";

/** The data of a thread: the queue, and its own index. */
export interface ThreadData {
  readonly memory: SharedQueueMemory;
  readonly thread: number;
}

/**
 * Results collected before the other side is told, while more work waits: waking it costs as much
 * processor time as a small read.
 */
const TOGETHER = 4;

/** Queued operations above which the threads have more work than they are about to take. */
const PLENTY = 4;

/** Largest operation, in bytes, that ends soon enough for a finished result to wait for it. */
const BRIEF = 64 * 1024;

/** Runs the queued operations, and sleeps while the queue is empty. */
export function run(job: JobContext): void {
  const { memory, thread } = job.data as ThreadData;
  const queue = new SharedQueue(memory);
  const count = new Uint8Array(8);
  const note: Operation = { slot: 0, op: 0, fd: 0, address: 0, length: 0, offset: 0, flags: 0 };
  /** The file of a result that is not yet reported; -1 if there is none. */
  let owed = -1;
  const tell = () => {
    owed = -1;
    if (!queue.tell()) return;
    job.complete(0, 0);
    job.flush();
  };
  while (!job.stopping()) {
    if (queue.take(note)) {
      // A result waits only for another short operation on its own file.
      if (owed >= 0 && (note.fd !== owed || note.op > 1 || note.length > BRIEF)) tell();
      const result = queue.begin(note.slot) ? carryOut(note) : ECANCELED;
      owed = note.fd;
      if (queue.finish(note.slot, result) >= TOGETHER || queue.waiting < PLENTY) tell();
      continue;
    }
    if (owed >= 0) tell();
    queue.sleep(thread, true);
    // An operation queued before this thread was marked asleep has woken no thread.
    if (queue.waiting === 0 && poll(job.wakeFd, PollEvent.IN, job.parkMs) > 0) {
      // When stopping, leave it readable so that no thread sleeps again. There are no commands.
      if (!job.stopping()) read(job.wakeFd, count);
    }
    queue.sleep(thread, false);
  }
}
