/** Static middlewares by file size: requests per second and CPU, sluice beside others. @module */

import type { RequestsJob, RequestsResult } from "../client/requests.ts";
import type { Context } from "../context.ts";
import { commandFor, CONGESTION, type RuntimeName, versionOf } from "../environment.ts";
import { cpuSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { PINNING, type Server, startClient, startServer } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import type { PeerName } from "../selection.ts";
import { verify } from "../verify.ts";
import type { ServedFile } from "../workspace.ts";

const KIB = 1024;
const SIZES = [KIB, 64 * KIB, 1024 * KIB, 16 * 1024 * KIB];
/** Smallest size for which CPU time per GB counts; below, requests per second count. */
const LARGE = 1024 * KIB;
const MOST_CPU = 1 / 3;
const CLIENTS = 16;
const FOR_MS = 1000;

/** Kinds, with their names as peers; `undefined` for sluice. */
const KINDS = {
  "express-static": "express",
  "express-sluice": undefined,
  "express-register": undefined,
  "http-sluice": undefined,
  "http-sirv": "sirv",
  "fastify-static": "fastify",
  "fastify-sluice": undefined,
} as const;
type Kind = keyof typeof KINDS;

interface Measured {
  readonly runtime: RuntimeName;
  readonly kind: Kind;
  readonly size: number;
  readonly perSecond: number[];
  /** CPU microseconds of the server per request. */
  readonly cpuMicros: number[];
  readonly clientLoad: number[];
}

/** Runs the benchmark. */
export async function middleware(
  { workspace, runtimes, rounds, peers, note }: Context,
): Promise<Report> {
  const files = SIZES.map((size) => workspace.file(`${size}.bin`, size));
  const all: Measured[] = [];
  const servers = new Map<string, Server>();
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) {
      note(`${runtime} is not installed: left out`);
      continue;
    }
    for (const [kind, peer] of Object.entries(KINDS) as [Kind, PeerName | undefined][]) {
      if (peer !== undefined && !peers.has(peer)) continue;
      const script = workspace.script("servers/middleware");
      const server = await startServer(commandFor(runtime, script, [workspace.files, kind]));
      servers.set(`${runtime} ${kind}`, server);
      for (const file of files) {
        await verify(server.port, file);
        all.push({ runtime, kind, size: file.size, perSecond: [], cpuMicros: [], clientLoad: [] });
      }
      // Compiles hot code before the first round.
      await measure(undefined, server, files[0]!);
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const measured of all) {
      const server = servers.get(`${measured.runtime} ${measured.kind}`)!;
      const file = files.find(({ size }) => size === measured.size)!;
      await measure(measured, server, file);
      const { perSecond, cpuMicros } = measured;
      note(
        `round ${round}, ${nameOf(measured)}: ${number(perSecond.at(-1)!)} requests/s, ` +
          `${number(cpuMicros.at(-1)!)} CPU-us each`,
      );
    }
  }
  for (const server of servers.values()) await server.stop();
  return report(all, rounds);
}

async function measure(
  measured: Measured | undefined,
  { port, pid }: Server,
  { name, size }: ServedFile,
): Promise<void> {
  const job: RequestsJob = { port, clients: CLIENTS, path: `/${name}`, size, forMs: FOR_MS };
  const before = cpuSeconds(pid);
  const result = await startClient<RequestsResult>("requests", job).result;
  const cpu = cpuSeconds(pid) - before;
  measured?.perSecond.push(result.answers / result.seconds);
  measured?.cpuMicros.push((cpu * 1e6) / result.answers);
  measured?.clientLoad.push(result.cpuSeconds / result.seconds);
}

function nameOf({ runtime, kind, size }: Measured): string {
  return `${runtime} ${kind}, ${size / KIB} KiB`;
}

function report(all: readonly Measured[], rounds: number): Report {
  return {
    title: `middleware: ${CLIENTS} connections request one file repeatedly, over loopback`,
    method: [
      `Each size for ${
        FOR_MS / 1000
      } s per round, on keep-alive connections; median (min-max) of ${rounds} interleaved rounds.`,
      `CPU: user and system time of all threads of the server, per request.`,
      `The client discards inside the kernel and checks every length; SHA-256 was checked before. ${PINNING}.`,
      CONGESTION,
      `Ratios are computed round by round, between the rows under Express, and under Fastify. "register": unchanged code, started with sluice/register.`,
    ],
    columns: ["server", "KiB", "requests/s", "CPU-us/request", "CPU-s/GB", "client busy"],
    rows: all.map(({ runtime, kind, size, perSecond, cpuMicros, clientLoad }) => [
      `${runtime} ${kind}`,
      String(size / KIB),
      spread(summarize(perSecond)),
      spread(summarize(cpuMicros)),
      number(summarize(cpuMicros).median * 1e3 / size),
      `${Math.round(summarize(clientLoad).median * 100)} %`,
    ]),
    bars: all.flatMap((ours) => bars(ours, all)),
    samples: all,
  };
}

function bars(ours: Measured, all: readonly Measured[]): Bar[] {
  const { runtime, kind, size } = ours;
  const [framework, what] = kind.split("-");
  const theirs = all.find((other) =>
    other.runtime === runtime && other.size === size && other.kind === `${framework}-static`
  );
  if (what === "static" || theirs === undefined) return [];
  const subject = `${runtime} ${kind}, ${size / KIB} KiB`;
  if (size >= LARGE) {
    const value = ratios(ours.cpuMicros, theirs.cpuMicros);
    return [{ subject, what: "CPU / static", value, limit: MOST_CPU, wanted: "at most" }];
  }
  const value = ratios(ours.perSecond, theirs.perSecond);
  return [{ subject, what: "requests/s / static", value, limit: 1, wanted: "at least" }];
}
