/**
 * Requests that `createFileServer` forwards to a program, beside nginx and the program alone.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { hasWrk, runWrk, WRK_REMEDY } from "../client/wrk.ts";
import type { Context } from "../context.ts";
import { commandFor, nginxVersion, versionOf } from "../environment.ts";
import { cpuSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { REMEDY, startNginx } from "../nginx.ts";
import { PINNING, type Server, startServer } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { verify } from "../verify.ts";

const KIB = 1024;
const SECONDS = 1;
const CONNECTIONS = 32;
const LOADS = [{ name: "1 KiB", file: "1k", size: KIB }, {
  name: "1 MiB",
  file: "1m",
  size: KIB * KIB,
}];

/** How requests are found to be the program's: by their path, or because there is no such file. */
type Way = "by path" | "files first";

interface Measured {
  readonly name: string;
  /** `undefined` for what is no subject of a comparison. */
  readonly way: Way | undefined;
  readonly kind: "program" | "nginx" | "ours";
  readonly server: Server;
  /** By load. */
  readonly perSecond: number[][];
  readonly p99: number[][];
  /** CPU microseconds of the server per request, without the program behind it. */
  readonly cpuMicros: number[][];
}

/** Runs the benchmark. */
export async function fallback(context: Context): Promise<Report> {
  if (!hasWrk()) throw new Error(WRK_REMEDY);
  const { workspace, rounds, note } = context;
  const files = LOADS.map(({ file, size }) => workspace.file(file, size));
  const script = workspace.script("servers/program");
  const start = (behind: boolean) =>
    startServer(commandFor("node", script, [workspace.files]), { behind });
  const alone = await start(false);
  const program = await start(true);
  const all: Measured[] = [];
  const add = (front: Front) => {
    const lists = () => LOADS.map(() => []);
    all.push({ ...front, perSecond: lists(), p99: lists(), cpuMicros: lists() });
  };
  add({ name: "the program itself", kind: "program", way: undefined, server: alone });
  for (const front of await fronts(context, program.port)) add(front);
  for (const { server } of all) {
    for (const file of files) await verify(server.port, { ...file, name: `api/${file.name}` });
    // Compiles hot code before the first round.
    for (const { file } of LOADS) {
      runWrk({ port: server.port, path: `/api/${file}`, connections: CONNECTIONS, seconds: 2 });
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [index, { file, name }] of LOADS.entries()) {
      for (let turn = 0; turn < all.length; turn++) {
        // Another server begins each round, because the first one pays for what the last has left.
        const measured = all[(turn + round) % all.length]!;
        const { pid, port } = measured.server;
        const before = cpuSeconds(pid);
        const job = { port, path: `/api/${file}`, connections: CONNECTIONS, seconds: SECONDS };
        const result = runWrk(job);
        const cpu = cpuSeconds(pid) - before;
        if (result.errors > 0) throw new Error(`${measured.name}: ${JSON.stringify(result)}`);
        measured.perSecond[index]!.push(result.perSecond);
        measured.p99[index]!.push(result.p99Ms);
        measured.cpuMicros[index]!.push(cpu * 1e6 / result.requests);
      }
      note(`round ${round}: ${name}`);
    }
  }
  for (const { server } of all) await server.stop();
  await program.stop();
  return report(all, rounds);
}

type Front = Pick<Measured, "name" | "kind" | "way" | "server">;

/** Starts what stands before the program. */
async function fronts(
  { workspace, runtimes, peers, note }: Context,
  program: number,
): Promise<Front[]> {
  const found: Front[] = [];
  // An empty folder, so that all requests go to the program.
  const root = join(workspace.files, "empty");
  mkdirSync(root);
  if (peers.has("nginx") && nginxVersion() === undefined) note(REMEDY);
  else if (peers.has("nginx")) {
    for (
      const [name, way, keeps] of [
        ["nginx, a connection per request", undefined, false],
        ["nginx, by path", "by path", true],
        ["nginx, files first", "files first", true],
      ] as const
    ) {
      const upstream = { port: program, keeps, filesFirst: way === "files first" };
      found.push({ name, kind: "nginx", way, server: await startNginx(root, "on", { upstream }) });
    }
  }
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) continue;
    for (const way of ["by path", "files first"] as const) {
      const paths = way === "by path" ? ["/api/"] : [];
      const args = [root, "1", "on", "10000", `127.0.0.1:${program}`, ...paths];
      const command = commandFor(runtime, workspace.script("servers/file_server"), args);
      const server = await startServer(command);
      found.push({ name: `${runtime} sluice, ${way}`, kind: "ours", way, server });
    }
  }
  return found;
}

function report(all: readonly Measured[], rounds: number): Report {
  return {
    title: "fallback: requests that are forwarded to a program, beside nginx and the program alone",
    method: [
      `wrk with ${CONNECTIONS} connections, kept alive, ${SECONDS} s a cell; median (min-max) of ${rounds} interleaved rounds. ${PINNING}.`,
      "The program is node:http with answers in memory. Behind a server, it shares the clients' processor; alone, it has the servers' processor.",
      "CPU per request: all threads of the server before the program; in the first row, of the program itself.",
      "nginx has one worker. It and createFileServer keep at most 32 idle connections to the program; the row that says so does not. By path: `location /` and `fallback.paths`. Files first: `try_files`, and what createFileServer does without `paths`.",
    ],
    columns: [
      "server",
      ...LOADS.flatMap(({ name }) => [`${name}: requests/s`, `${name}: p99 ms`, `${name}: CPU us`]),
    ],
    rows: all.map(({ name, perSecond, p99, cpuMicros }) => [
      name,
      ...LOADS.flatMap((_, index) => [
        spread(summarize(perSecond[index]!)),
        number(summarize(p99[index]!).median),
        spread(summarize(cpuMicros[index]!)),
      ]),
    ]),
    bars: all.filter(({ kind }) => kind === "ours").flatMap((ours) => barsOf(ours, all)),
    samples: all.map(({ server: _, ...figures }) => figures),
  };
}

/** Compares with nginx that finds the program in the same way, round by round. */
function barsOf({ cpuMicros, name, perSecond, way }: Measured, all: readonly Measured[]): Bar[] {
  const nginx = all.find((other) => other.kind === "nginx" && other.way === way);
  if (nginx === undefined) return [];
  return LOADS.flatMap(({ name: load }, index): Bar[] => [
    {
      subject: name,
      what: `${load}: requests / nginx`,
      value: ratios(perSecond[index]!, nginx.perSecond[index]!),
      limit: 1,
      wanted: "at least",
    },
    {
      subject: name,
      what: `${load}: CPU per request / nginx`,
      value: ratios(cpuMicros[index]!, nginx.cpuMicros[index]!),
      limit: 1,
      wanted: "at most",
    },
  ]);
}
