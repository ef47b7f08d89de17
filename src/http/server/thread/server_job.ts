/**
 * A thread of a server: accepts, answers and sends on its own.
 *
 * Its descriptors: the listener, then those for the log and the events, if requested.
 *
 * @module
 */

import { READY_ID, type WorkerCommand } from "../../../threads/worker_pool.ts";
import type { JobContext } from "../../../threads/job.ts";
import { Acceptor } from "../../../threads/loop/acceptor.ts";
import { Loop } from "../../../threads/loop/loop.ts";
import { Placement } from "../../../threads/loop/placement.ts";
import { TurnShare } from "../../../threads/loop/turn_share.ts";
import { useLibssl } from "../../../../ffi/libssl/mod.ts";
import { TlsDialer } from "../../../tls/client/dialer.ts";
import { TlsAcceptor } from "../../../tls/acceptor.ts";
import {
  Background,
  type Command,
  Counter,
  COUNTERS,
  type JobData,
  NEEDS_BACKGROUND,
} from "../control/config.ts";
import { Guard } from "../auth/guard.ts";
import { BackgroundLink } from "../background/background_link.ts";
import { PrefetchClient } from "./prefetch_client.ts";
import { AccessLog } from "./access_log.ts";
import { pinFallback } from "../proxy/options.ts";
import { Listings } from "../listing/listings.ts";
import { LogWriter } from "./log_writer.ts";
import { RemoteFiles } from "../remote/remote_files.ts";
import { restrictThread } from "./sandbox.ts";
import { setCommonFields } from "../response/response.ts";
import type { ServiceTls } from "../connection/contracts.ts";
import { buildSites, openRoots, prepareSites } from "../sites/build.ts";
import { readFolders } from "../sites/options.ts";
import type { Sites } from "../sites/sites.ts";
import { Uploads } from "../upload/uploads.ts";
import { Archives } from "../archive/archives.ts";
import { Service } from "./worker.ts";

/** Most requests of a thread that wait for one mount; further ones get 503. */
const MOST_WAITING = 128;

/** Loads the program's own modules. */
export async function prepare(data: unknown): Promise<void> {
  await prepareSites((data as JobData).sites);
}

/** Serves until the job must stop. */
export function run(job: JobContext): void {
  const data = job.data as JobData;
  const { cache, counters, index, limits, sandbox, shares, sites } = data;
  const [listener, ...others] = job.fds as [number, ...number[]];
  const own = counters.subarray(index * COUNTERS, (index + 1) * COUNTERS);
  const { fallback, needs } = pinFallback(data.fallback);
  const roots = openRoots(sites, {
    fixed: sandbox,
    refreshMs: cache.validMs,
    // Requests of one turn of the loop have arrived together: one look at the folder suffices.
    now: () => loop.now,
  });
  let loop: Loop;
  let tls: ServiceTls | null = null;
  let dialer: TlsDialer | null = null;
  let guard: Guard | null = null;
  try {
    // Open libraries before the sandbox forbids it.
    guard = data.auth && new Guard(data.auth);
    if (data.libssl !== undefined) useLibssl(data.libssl);
    if (data.tls !== null) {
      const { handshakeMs, hsts, table } = data.tls;
      const turns = new TurnShare(() => loop);
      tls = { acceptor: new TlsAcceptor(table), handshakeMs, turns };
      setCommonFields(hsts === "" ? {} : { "Strict-Transport-Security": hsts });
    }
    if (fallback !== null && fallback.tls !== null) dialer = new TlsDialer(fallback.tls);
    // Encrypted data cannot be spliced, so it goes through a pair of sockets.
    const pairs = fallback !== null && (tls !== null || dialer !== null);
    // With kernel TLS, OpenSSL sends tickets and alerts by sendmsg(2).
    const messages = data.tls?.kernel === true;
    if (sandbox) {
      restrictThread({ roots: readFolders(sites), pairs, messages, ...needs });
    }
    loop = new Loop(job, (command) => obey(command as WorkerCommand<Command>));
  } catch (cause) {
    // The end of a thread closes no descriptors.
    for (const root of roots) root.close();
    throw cause;
  }
  const links = new Map<number, BackgroundLink>();
  const linkOf = (thread: number): BackgroundLink => {
    let link = links.get(thread);
    if (link === undefined) {
      link = new BackgroundLink(loop, () => job.complete(NEEDS_BACKGROUND, thread));
      links.set(thread, link);
    }
    return link;
  };
  const remote = new RemoteFiles({
    loop,
    slots: data.slots,
    most: Math.min(MOST_WAITING, Math.ceil(limits.maxConnections / 4)),
    linkOf,
  });
  const listings = sites.some(({ settings }) => settings.listing)
    ? new Listings({
      loop,
      link: linkOf(Background.LISTINGS),
      validMs: cache.validMs,
      remote,
      grant: (reply, waiter) => site.lookups.grant(reply, waiter),
    })
    : null;
  const uploads = !sites.some(({ upload }) => upload !== null) ? null : new Uploads({
    link: linkOf(Background.UPLOADS),
    sites,
    siteOf: (head) => site.indexOf(head),
  });
  const archives = !sites.some(({ archives }) => archives !== null) ? null : new Archives({
    link: linkOf(Background.ARCHIVES),
    grant: (reply, waiter) => site.lookups.grant(reply, waiter),
  });
  const site: Sites = buildSites(sites, roots, {
    archives,
    cache,
    limits,
    listings,
    remote,
    looked: (hit) => service.count(hit ? Counter.CACHE_HITS : Counter.CACHE_MISSES),
    exhausted: () =>
      void (service.fallback?.idle.evict() || service.makeRoom(service.output.connection)),
    keeps: (bytes) => own[Counter.CACHE_BYTES] = bytes,
  });
  const writer = () => new LogWriter(loop, others.shift()!, () => service.count(Counter.LOG_LOST));
  const log = data.log === null ? null : writer();
  const events = data.events ? writer() : null;
  const accessLog = log === null && events === null ? null : new AccessLog({
    ...{ log, events, format: data.log ?? "json", eventsPerSecond: data.eventsPerSecond },
    now: () => performance.now(),
  });
  let drainId = 0;
  const service: Service = new Service({
    loop,
    disk: new PrefetchClient(linkOf(Background.DISK)),
    site,
    remote,
    accessLog,
    limits,
    cache,
    fallback,
    dialer,
    tls,
    guard,
    uploads,
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
      // Waiting connections are accepted when one of these has closed.
      if (service.open > limits.maxConnections) acceptor.pause();
    },
    exhausted: () => service.fallback?.idle.evict() || service.makeRoom(),
    refused: (fd) => service.turnAway(fd),
  });

  function obey({ id, command }: WorkerCommand<Command>): void {
    if (typeof command === "object" && "thread" in command) {
      linkOf(command.thread).connect(command.fds[index] ?? -1);
      return job.complete(id, 0);
    }
    if (typeof command === "object") {
      if ("tls" in command) tls?.acceptor.update(command.tls);
      else dialer?.update(command.fallback);
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
    tls?.acceptor.close();
    dialer?.close();
    accessLog?.flush();
    acceptor.close();
    site.clear();
    listings?.close();
    // The last answers may have descriptors.
    links.get(Background.ARCHIVES)?.readAll();
    remote.end();
    for (const link of links.values()) link.close();
    uploads?.close();
    for (const root of roots) root.close();
  }
}
