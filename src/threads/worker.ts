/**
 * The Worker entry: loads a job and runs it. Does nothing unless a host of sluice has started it.
 *
 * @module
 */

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { platform } from "../../ffi/platform/mod.ts";
import { close, read } from "../sys/raw/files.ts";
import { getsockopt, shutdown } from "../sys/raw/sockets.ts";
import { ShutdownHow, SocketLevel } from "../sys/flags/socket.ts";
import { run as runBlocking } from "./blocking/blocking_job.ts";
import { RecordWriter } from "./completions.ts";
import { bundledJob } from "./jobs.ts";
import {
  type EarlyStart,
  type JobContext,
  type JobModule,
  Phase,
  Slot,
  type WorkerStart,
} from "./job.ts";
import { watchOwner } from "./owner.ts";
import { run as runReady } from "./poll/epoll_job.ts";
import { run as runIo } from "./io_queue/thread_job.ts";

/** Jobs by name; a bundle of this file needs no other file for them. */
const BUILT_IN: Record<string, JobModule["run"]> = {
  blocking: runBlocking,
  io: runIo,
  ready: runReady,
};

const start = (workerData as { sluice?: WorkerStart | EarlyStart } | null)?.sluice;
if (start !== undefined) {
  // By this text, the host tells sluice's Worker from another program of the same name, also in a bundle.
  Reflect.set(start, "entry", "sluice.worker.entry");
  // Leave a rejection unhandled: it becomes the `error` event of the host's Worker.
  void (start.state === undefined ? beginLater(start) : begin(start));
}

/** Loads the job, and waits until a host has work for it. */
async function beginLater({ job }: EarlyStart): Promise<void> {
  const told = new Promise<WorkerStart>((resolve) => parentPort!.once("message", resolve));
  await load(job);
  await begin(await told);
}

async function load(job: string): Promise<JobModule> {
  const built = BUILT_IN[job];
  return built ? { run: built } : await (bundledJob(job) ?? import(job));
}

async function begin(start: WorkerStart): Promise<void> {
  const { prepare, run } = await load(start.job);
  const advance = (from: number, to: number) =>
    Atomics.compareExchange(start.state, Slot.PHASE, from, to) === from;
  if (!advance(Phase.STARTING, Phase.PREPARING)) return;
  await prepare?.(start.data);
  if (!advance(Phase.PREPARING, Phase.RUNNING)) return;
  const ownerEnded = watchOwner(start.owner);
  try {
    run(createContext(start, ownerEnded));
  } finally {
    // A host that was stopped by its own thread closes them itself.
    if (Atomics.load(start.state, Slot.STOP) === 0 && ownerEnded()) {
      for (const fd of [...start.fds, start.wakeFd, start.completionFd]) abandon(fd);
    }
    Atomics.store(start.state, Slot.PHASE, Phase.DONE);
    Atomics.notify(start.state, Slot.PHASE);
  }
}

/**
 * Closes a descriptor of a host that has ended. Its thread may have left duplicates of a listener.
 */
function abandon(fd: number): void {
  const listens = new Int32Array(1);
  getsockopt(fd, SocketLevel.SOCKET, platform.socket.SO_ACCEPTCONN, listens);
  if (listens[0] === 1) shutdown(fd, ShutdownHow.RDWR);
  close(fd);
}

function createContext(
  { completionFd, data, fds, parkMs, port, state, wakeFd }: WorkerStart,
  ownerEnded: () => boolean,
): JobContext {
  const count = new Uint8Array(8);
  const stopping = () => Atomics.load(state, Slot.STOP) !== 0 || ownerEnded();
  const writer = new RecordWriter(completionFd, { parkMs, stopping });
  return {
    data,
    fds,
    wakeFd,
    parkMs,
    stopping,
    commands() {
      // When stopping, leave it readable so that the job cannot sleep again.
      if (stopping()) return [];
      // Clear the eventfd first: a command that arrives in between makes it readable again.
      read(wakeFd, count);
      const commands: unknown[] = [];
      for (let next; (next = receiveMessageOnPort(port)) !== undefined;) {
        commands.push(next.message);
      }
      return commands;
    },
    complete: (id, result) => writer.add(id, result),
    flush: () => writer.flush(),
  };
}
