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
import { summarize } from "../measure/stats.ts";
import { REMEDY, startNginx } from "../nginx.ts";
import { PINNING, type Server, startServer } from "../processes.ts";
import { number, type Report, spread } from "../report.ts";
import { verify } from "../verify.ts";

const KIB = 1024;
const SECONDS = 1;
const CONNECTIONS = 32;
const LOADS = [{ name: "1 KiB", file: "1k", size: KIB }, {
  name: "1 MiB",
  file: "1m",
  size: KIB * KIB,
}];

interface Measured {
  readonly name: string;
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
  const add = (name: string, server: Server) => {
    const lists = () => LOADS.map(() => []);
    all.push({ name, server, perSecond: lists(), p99: lists(), cpuMicros: lists() });
  };
  add("the program itself", alone);
  for (const [name, server] of await fronts(context, program.port)) add(name, server);
  for (const { server } of all) {
    for (const file of files) await verify(server.port, { ...file, name: `api/${file.name}` });
    // Compiles hot code before the first round.
    runWrk({ port: server.port, path: "/api/1k", connections: CONNECTIONS, seconds: 1 });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [index, { file, name }] of LOADS.entries()) {
      for (const measured of all) {
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

/** Starts what stands before the program. */
async function fronts({ workspace, runtimes, peers, note }: Context, program: number) {
  const found: [name: string, server: Server][] = [];
  if (peers.has("nginx") && nginxVersion() === undefined) note(REMEDY);
  else if (peers.has("nginx")) {
    for (const [name, keepsUpstream] of [["", false], [", kept connections", true]] as const) {
      const upstream = { port: program, keeps: keepsUpstream };
      found.push([
        `nginx proxy_pass${name}`,
        await startNginx(workspace.files, "on", { upstream }),
      ]);
    }
  }
  // Serves an empty folder, so that all requests go to the program.
  const root = join(workspace.files, "empty");
  mkdirSync(root);
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) continue;
    const args = [root, "1", "on", "10000", `127.0.0.1:${program}`];
    const command = commandFor(runtime, workspace.script("servers/file_server"), args);
    found.push([`${runtime} createFileServer, fallback`, await startServer(command)]);
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
      "nginx has one worker. By default it opens a connection to the program for each request, as createFileServer does; the other row keeps 32 connections.",
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
    bars: [],
    samples: all.map(({ server: _, ...figures }) => figures),
  };
}
