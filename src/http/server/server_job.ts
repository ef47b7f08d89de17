/**
 * A thread of a server: accepts, answers, and sends, all by itself.
 *
 * Descriptors: the listener, this thread's end of the socket to the disk thread, then those to which
 * the log and the events are written, where they are wanted.
 *
 * @module
 */

import type { CrewCommand } from "../../wait/crew.ts";
import { READY_ID } from "../../wait/crew.ts";
import type { JobContext } from "../../wait/job.ts";
import { Acceptor } from "../../wait/loop/acceptor.ts";
import { Loop } from "../../wait/loop/loop.ts";
import { Placement } from "../../wait/loop/placement.ts";
import { TlsAcceptor } from "../../tls/acceptor.ts";
import { listingPage } from "../listing/page.ts";
import { openRoot } from "../open_root.ts";
import type { HeadersHook } from "../plan/options.ts";
import { settingsOf } from "../plan/settings.ts";
import { type Command, COUNTERS, type JobData, NEEDS_DISK } from "./config.ts";
import { Counter } from "./config.ts";
import { Disk } from "./disk.ts";
import { Journal } from "./journal.ts";
import { whatFallbackNeeds } from "./fallback/options.ts";
import { loadHook } from "./headers_hook.ts";
import { LogWriter } from "./log_writer.ts";
import { restrictThread } from "./sandbox.ts";
import { setCommonFields } from "./reply.ts";
import type { ServiceTls } from "./secure_start.ts";
import { Service } from "./service.ts";
import { Site } from "./site.ts";

/** The hook for headers, once its module has been loaded. */
let hook: HeadersHook | undefined;

/** Loads the program's own module. */
export async function prepare(data: unknown): Promise<void> {
  const { headers } = data as JobData;
  if (headers !== null) hook = await loadHook(headers);
}

/** Serves until it must stop. */
export function run(job: JobContext): void {
  const data = job.data as JobData;
  const { cache, counters, fallback, index, limits, root, sandbox, settings, shares, symlinks } =
    data;
  const [listener, diskFd, ...logs] = job.fds as [number, number, ...number[]];
  const own = counters.subarray(index * COUNTERS, (index + 1) * COUNTERS);
  const folder = openRoot(root, symlinks, { fixed: sandbox });
  let loop: Loop;
  let tls: ServiceTls | null = null;
  try {
    // Before the sandbox, in which the library could not be opened.
    if (data.tls !== null) {
      const { handshakeMs, hsts, table } = data.tls;
      tls = { acceptor: new TlsAcceptor(table), handshakeMs };
      setCommonFields(hsts === "" ? "" : `Strict-Transport-Security: ${hsts}\r\n`);
    }
    if (sandbox) restrictThread({ root, ...whatFallbackNeeds(fallback) });
    loop = new Loop(job, (command) => obey(command as CrewCommand<Command>));
  } catch (cause) {
    // The end of a thread closes nothing.
    folder.close();
    throw cause;
  }
  const site = new Site({
    root: folder,
    settings: settingsOf({
      ...settings,
      ...(settings.listing === true && { listing: listingPage }),
      ...(hook !== undefined && { headers: hook }),
    }),
    cache,
    looked: (hit) => service.count(hit ? Counter.CACHE_HITS : Counter.CACHE_MISSES),
  });
  const writer = () => new LogWriter(loop, logs.shift()!, () => service.count(Counter.LOG_LOST));
  const log = data.log === null ? null : writer();
  const events = data.events ? writer() : null;
  const journal = log === null && events === null
    ? null
    : new Journal({ log, events, format: data.log ?? "json", now: () => performance.now() });
  let drainId = 0;
  const service: Service = new Service({
    loop,
    disk: new Disk(loop, diskFd, () => job.complete(NEEDS_DISK, index)),
    site,
    journal,
    limits,
    cache,
    fallback,
    tls,
    preflights: settings.cors !== undefined && settings.cors !== false,
    counters: own,
    closed() {
      placement?.left();
      if (!service.closing && service.open < limits.maxConnections) acceptor.resume();
    },
    drained() {
      if (drainId !== 0) job.complete(drainId, 0);
      drainId = 0;
    },
  });
  const accepted = (fd: number) => service.accept(fd);
  const placement = shares === null ? null : new Placement(loop, shares, index, accepted);
  const acceptor: Acceptor = new Acceptor(loop, listener, {
    accepted(fd) {
      if (placement === null) accepted(fd);
      else placement.place(fd);
      // Those that wait in the kernel are taken when one of these has gone.
      if (service.open > limits.maxConnections) acceptor.pause();
    },
    refused: (fd) => service.turnAway(fd),
  });

  function obey({ id, command }: CrewCommand<Command>): void {
    if (typeof command === "object") {
      tls?.acceptor.update(command.tls);
      return job.complete(id, 0);
    }
    switch (command) {
      case "reload":
        site.clear();
        return job.complete(id, 0);
      case "drain":
        acceptor.close();
        placement?.close();
        drainId = id;
        return service.close();
    }
  }

  job.complete(READY_ID, 0);
  try {
    loop.run();
  } finally {
    placement?.close();
    service.closeAll();
    journal?.flush();
    acceptor.close();
    site.clear();
    folder.close();
  }
}
