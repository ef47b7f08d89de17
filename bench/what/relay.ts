/**
 * 20 clients download 100 MB each through a relay in one thread, beside HAProxy and `pipe()`.
 *
 * @module
 */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { DrainResult } from "../client/drain.ts";
import type { ProbeResult } from "../client/probe.ts";
import type { Context } from "../context.ts";
import {
  commandFor,
  CONGESTION,
  haproxyVersion,
  type RuntimeName,
  versionOf,
} from "../environment.ts";
import { REMEDY, startHaproxy } from "../haproxy.ts";
import { cpuSeconds, memory } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { startNginx } from "../nginx.ts";
import { compilePeer } from "../peers.ts";
import { delay, PINNING, type Server, startClient, startServer } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { verify } from "../verify.ts";
import type { ServedFile } from "../workspace.ts";

const CLIENTS = 20;
const SIZE = 100_000_000;
const ANSWER = 64 * 1024;
const LIMIT_MS = 120_000;
const PROBE_MS = 3000;
const PROBE_INTERVAL_MS = 2;
const IDLE = 1000;

/** Limits beside HAProxy and `pipe()`: CPU time per GB, latency, throughput. */
const CPU_OF_HAPROXY = 0.6;
const SPEED_OF_HAPROXY = 1;
const P99_OF_HAPROXY = 1.2;
const CPU_OF_PIPE = 0.25;
/** CPU time per GB of two threads beside one: 1.9 times the throughput on processors of their own. */
const CPU_OF_ONE = 2 / 1.9;
/** Most memory of an idle connection, in bytes. */
const IDLE_BYTES = 20_000;

interface Subject {
  readonly name: string;
  readonly kind: "sluice" | "sluice, 2 threads" | "haproxy" | "pipe" | "c";
  readonly runtime: RuntimeName | undefined;
  start(upstream: number): Promise<Server>;
}

interface Measured {
  readonly subject: Subject;
  readonly server: Server;
  readonly cpuPerGb: number[];
  readonly gbPerSecond: number[];
  readonly p50: number[];
  readonly p99: number[];
  idleBytes: number;
}

/** Runs the benchmark. */
export async function relay(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  const large = workspace.file("large", SIZE);
  const hot = workspace.file("hot", ANSWER);
  const upstream = await startNginx(workspace.files, "on", { behind: true });
  const all: Measured[] = [];
  for (const subject of subjects(context)) {
    note(`${subject.name}: checking the bytes`);
    const server = await subject.start(upstream.port);
    await verify(server.port, large);
    all.push({ subject, server, cpuPerGb: [], gbPerSecond: [], p50: [], p99: [], idleBytes: 0 });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const measured of all) {
      await transfer(measured);
      await ask(measured, hot);
      const { cpuPerGb, gbPerSecond, p99, subject } = measured;
      const figures = `${number(cpuPerGb.at(-1)!)} CPU-s/GB, ${number(gbPerSecond.at(-1)!)} GB/s, `;
      note(`round ${round}, ${subject.name}: ${figures}p99 ${number(p99.at(-1)!)} ms`);
    }
  }
  for (const { server } of all) await server.stop();
  await upstream.stop();
  for (const measured of all) measured.idleBytes = await idle(measured.subject);
  return report(all, rounds);
}

function subjects({ runtimes, peers, workspace, note }: Context): Subject[] {
  const found: Subject[] = [];
  if (peers.has("haproxy") && haproxyVersion() === undefined) note(REMEDY);
  else if (peers.has("haproxy")) {
    const start = (port: number) => startHaproxy(workspace.files, port);
    found.push({ name: "HAProxy, splice", kind: "haproxy", runtime: undefined, start });
  }
  const program = peers.has("c") ? compilePeer(workspace, "relay") : undefined;
  if (peers.has("c") && program === undefined) note("no C compiler: measured without the bound");
  if (program !== undefined) {
    const start = (port: number) => startServer({ argv: [program, String(port)] });
    found.push({ name: "C, splice", kind: "c", runtime: undefined, start });
  }
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) {
      note(`${runtime} is not installed: left out`);
      continue;
    }
    // Streams make no foreign calls, so the backend makes no difference.
    const alone = runtime === "node-ffi" || !peers.has("streams");
    const kinds = alone ? ["sluice"] as const : ["sluice", "pipe"] as const;
    for (const kind of kinds) {
      const script = workspace.script(`servers/relay_${kind}`);
      const start = (port: number) => startServer(commandFor(runtime, script, [String(port)]));
      const name = kind === "pipe" ? `${runtime}, a.pipe(b)` : `${runtime}, createRelay`;
      found.push({ name, kind, runtime, start });
    }
    found.push({
      name: `${runtime}, createRelay, 2 threads`,
      kind: "sluice, 2 threads",
      runtime,
      start(port) {
        const args = [String(port), "2"];
        const command = commandFor(runtime, workspace.script("servers/relay_sluice"), args);
        return startServer(command, { everywhere: true });
      },
    });
  }
  return found;
}

async function transfer({ cpuPerGb, gbPerSecond, server, subject }: Measured): Promise<void> {
  const { pid, port } = server;
  const before = cpuSeconds(pid);
  const job = {
    port,
    clients: CLIENTS,
    paths: ["/large"],
    sizes: [SIZE],
    limitMs: LIMIT_MS,
    repeatMs: 0,
  };
  const result = await startClient<DrainResult>("drain", job).result;
  const cpu = cpuSeconds(pid) - before;
  if (result.complete !== CLIENTS) throw new Error(`${subject.name}: ${JSON.stringify(result)}`);
  cpuPerGb.push(cpu / (result.bytes / 1e9));
  gbPerSecond.push(result.bytes / 1e9 / result.seconds);
}

/** Requests 64 KiB repeatedly on one keep-alive connection. */
async function ask({ p50, p99, server: { port } }: Measured, file: ServedFile): Promise<void> {
  const job = { port, path: `/${file.name}`, file: file.path, intervalMs: PROBE_INTERVAL_MS };
  const client = startClient<ProbeResult>("probe", job);
  await client.ready;
  await delay(PROBE_MS);
  const result = await client.finish();
  p50.push(result.p50);
  p99.push(result.p99);
}

/** Returns the resident memory of each idle connection. */
async function idle(subject: Subject): Promise<number> {
  const accepted: Socket[] = [];
  const upstream = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes));
  }).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const server = await subject.start((upstream.address() as { port: number }).port);
  const open = async (count: number) => {
    const clients: Socket[] = [];
    for (let i = 0; i < count; i++) {
      const client = connect(server.port, "127.0.0.1");
      client.on("error", () => {});
      client.write("x");
      await once(client, "data");
      clients.push(client);
    }
    return clients;
  };
  // Opens some connections first, because one-time costs are not a connection's.
  const first = await open(50);
  await delay(500);
  const before = memory(server.pid).resident;
  const clients = await open(IDLE);
  await delay(1000);
  const after = memory(server.pid).resident;
  await server.stop();
  for (const socket of [...first, ...clients, ...accepted]) socket.destroy();
  upstream.close();
  return Math.max(0, after - before) / IDLE;
}

function report(all: readonly Measured[], rounds: number): Report {
  return {
    title: `relay: ${CLIENTS} clients x ${SIZE / 1e6} MB through one thread, over loopback`,
    method: [
      `nginx sends files from the page cache, through a relay; median (min-max) of ${rounds} interleaved rounds.`,
      `CPU: user and system time of all threads of the relay. GB: 10^9 bytes. p50 and p99: 64 KiB on one keep-alive connection every ${PROBE_INTERVAL_MS} ms.`,
      `HAProxy: one thread, splice-request and splice-response, pipes of 1 MiB. C: the system calls of createRelay without a runtime (bench/peers/relay.c). Idle: growth of resident memory per connection, with ${IDLE} connections.`,
      "Two threads share both processors with the clients and nginx, so their throughput is no measure; where they take no more CPU time for a GB than one, they move twice as much on processors of their own.",
      CONGESTION,
      `${
        PINNING.replace("server", "relay")
      }, as does nginx. SHA-256 was checked before. Ratios are computed round by round.`,
    ],
    columns: ["relay", "CPU-s/GB", "GB/s", "p50 ms", "p99 ms", "idle kB"],
    rows: all.map(({ cpuPerGb, gbPerSecond, idleBytes, p50, p99, subject }) => [
      subject.name,
      spread(summarize(cpuPerGb)),
      spread(summarize(gbPerSecond)),
      spread(summarize(p50)),
      spread(summarize(p99)),
      number(idleBytes / 1000),
    ]),
    bars: all.flatMap((ours) => bars(ours, all)),
    samples: all.map(({ server: _, subject, ...figures }) => ({ name: subject.name, ...figures })),
  };
}

function bars(ours: Measured, all: readonly Measured[]): Bar[] {
  const { kind } = ours.subject;
  if (kind === "sluice, 2 threads") return [barOfTwo(ours, all)];
  return kind === "sluice" ? barsOfOne(ours, all) : [];
}

/** Compares the CPU time with that of one thread. */
function barOfTwo(ours: Measured, all: readonly Measured[]): Bar {
  const { name, runtime } = ours.subject;
  const one = all.find(({ subject }) => subject.kind === "sluice" && subject.runtime === runtime)!;
  return {
    subject: name,
    what: "CPU / one thread",
    value: ratios(ours.cpuPerGb, one.cpuPerGb),
    limit: CPU_OF_ONE,
    wanted: "at most",
  };
}

function barsOfOne(ours: Measured, all: readonly Measured[]): Bar[] {
  const haproxy = all.find(({ subject }) => subject.kind === "haproxy");
  const engine = ours.subject.runtime === "node-ffi" ? "node" : ours.subject.runtime;
  const pipe = all.find(({ subject }) => subject.kind === "pipe" && subject.runtime === engine);
  const subject = ours.subject.name;
  const most = { subject, wanted: "at most" } as const;
  const result: Bar[] = [];
  if (haproxy !== undefined) {
    const cpu = ratios(ours.cpuPerGb, haproxy.cpuPerGb);
    result.push({ ...most, what: "CPU / HAProxy", value: cpu, limit: CPU_OF_HAPROXY });
    const value = ratios(ours.gbPerSecond, haproxy.gbPerSecond);
    const limit = SPEED_OF_HAPROXY;
    result.push({ subject, what: "GB/s / HAProxy", value, limit, wanted: "at least" });
    const p99 = ratios(ours.p99, haproxy.p99);
    result.push({ ...most, what: "p99 / HAProxy", value: p99, limit: P99_OF_HAPROXY });
  }
  if (pipe !== undefined) {
    const value = ratios(ours.cpuPerGb, pipe.cpuPerGb);
    result.push({ ...most, what: "CPU / pipe()", value, limit: CPU_OF_PIPE });
  }
  const idle = summarize([ours.idleBytes / 1000]);
  result.push({ ...most, what: "idle kB", value: idle, limit: IDLE_BYTES / 1000 });
  return result;
}
