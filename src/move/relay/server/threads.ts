/** The threads of a listening relay, and what they share. @module */

import type { SocketAddress } from "../../../sys/net/address.ts";
import { dupCloexec } from "../../../sys/fd.ts";
import { WorkerPool } from "../../../threads/worker_pool.ts";
import { dialAddresses } from "../../../threads/loop/dial.ts";
import { FdMailboxes } from "../../../threads/fd_mailboxes.ts";
import { jobLocation } from "../../../threads/worker_location.ts";
import type { RelayJobData } from "./commands.ts";
import type { Counters } from "./counters.ts";
import type { CheckedOptions } from "./options.ts";
import { fitConnections } from "./room.ts";
import { RelayTraces } from "./traces.ts";

/** Arguments to start the threads. */
export interface ThreadsStart {
  readonly options: CheckedOptions;
  /** The caller owns it: each thread gets a duplicate. */
  readonly listener: number;
  readonly upstreams: readonly SocketAddress[];
  /** One set of counters per thread. */
  readonly counters: readonly Counters[];
  /** Called once when a thread has failed. */
  ended(error: Error): void;
}

/** Starts threads that accept on one listener and pass connections to each other. */
export function startThreads(
  { counters, ended, listener, options, upstreams }: ThreadsStart,
): WorkerPool {
  const { connectMs, idleMs, threads, workerUrl } = options;
  const traces = RelayTraces.wanted() ? new RelayTraces() : undefined;
  const mailboxes = threads > 1 ? new FdMailboxes(threads) : undefined;
  const total = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const maxConnections = fitConnections(options.maxConnections, threads);
  return new WorkerPool({
    job: jobLocation("move/relay/server/relay_job", workerUrl),
    name: "sluice relay",
    threads,
    workerUrl,
    data: (index): RelayJobData => ({
      upstreams: dialAddresses(upstreams),
      connectMs,
      idleMs,
      maxConnections,
      sheds: maxConnections < options.maxConnections,
      index,
      counters: counters[index]!,
      total,
      traced: traces !== undefined,
      shares: mailboxes?.shares ?? null,
    }),
    fds: () => [dupCloexec(listener)],
    gone() {
      mailboxes?.close();
      traces?.endAll();
    },
    reported: (index, id, result) => traces?.report(index, id, result),
    ended,
  });
}
