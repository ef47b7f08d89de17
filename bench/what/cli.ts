/** `sluice serve` beside `createFileServer`, and a server that keeps nothing beside nginx. @module */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { hasWrk, runWrk, WRK_REMEDY } from "../client/wrk.ts";
import type { Context } from "../context.ts";
import { type Command, commandFor, nginxVersion, versionOf } from "../environment.ts";
import { cpuSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { freePort, startNginx } from "../nginx.ts";
import { PINNING, type Server, startServer, startServerOn } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import { verify } from "../verify.ts";
import type { Workspace } from "../workspace.ts";

const KIB = 1024;
const SIZES = [["1 KiB", KIB], ["10 KiB", 10 * KIB], ["64 KiB", 64 * KIB]] as const;
const CONNECTIONS = 64;
const SECONDS = 1;

/** Names within one runtime, and what each is compared with: at most so many times its CPU. */
const LIBRARY = "library";
const KEEPS_NOTHING = "cache: false";
const NGINX = "nginx, no open_file_cache";
const LIMITS: Readonly<Record<string, readonly [other: string, limit: number]>> = {
  "serve --quiet": [LIBRARY, 1.03],
  "serve, live view": [LIBRARY, 1.1],
  [KEEPS_NOTHING]: [NGINX, 1],
};

interface Subject {
  readonly runtime: string;
  readonly name: string;
  start(): Promise<Server>;
}

interface Cell {
  readonly perSecond: number[];
  /** CPU microseconds of the server per request, threads and all. */
  readonly cpuMicros: number[];
}

/** Runs the benchmark. */
export async function cli(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  if (!hasWrk()) throw new Error(WRK_REMEDY);
  const files = SIZES.map(([, size]) => workspace.file(`${size}`, size));
  const subjects = subjectsOf(context);
  const servers: Server[] = [];
  const cells = subjects.map(() => SIZES.map((): Cell => ({ perSecond: [], cpuMicros: [] })));
  for (const subject of subjects) {
    const server = await subject.start();
    servers.push(server);
    for (const file of files) await verify(server.port, file);
    // Compiles hot code before the first round.
    runWrk({ port: server.port, path: `/${KIB}`, connections: 8, seconds: 1 });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [at, [name, size]] of SIZES.entries()) {
      for (let turn = 0; turn < subjects.length; turn++) {
        // Another server begins each round, because the first one pays for what the last has left.
        const index = (turn + round) % subjects.length;
        const { pid, port } = servers[index]!;
        const before = cpuSeconds(pid);
        const job = { port, path: `/${size}`, connections: CONNECTIONS, seconds: SECONDS };
        const result = runWrk(job);
        if (result.errors > 0) throw new Error(`${subjects[index]!.name}: ${result.errors} errors`);
        const cell = cells[index]![at]!;
        cell.perSecond.push(result.perSecond);
        cell.cpuMicros.push((cpuSeconds(pid) - before) * 1e6 / result.requests);
      }
      note(`round ${round}: ${name}`);
    }
  }
  for (const server of servers) await server.stop();
  return report(subjects, cells, rounds);
}

function subjectsOf({ note, peers, runtimes, workspace }: Context): Subject[] {
  const subjects: Subject[] = [];
  const { files } = workspace;
  if (peers.has("nginx") && nginxVersion() !== undefined) {
    subjects.push({ runtime: "", name: NGINX, start: () => startNginx(files, "on") });
  }
  const terminal = spawnSync("script", ["--version"]).status === 0;
  if (!terminal) note("script(1) is not installed: the live view is left out");
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) {
      note(`${runtime} is not installed: left out`);
      continue;
    }
    const library = (cache: string) => () =>
      startServer(
        commandFor(runtime, workspace.script("servers/file_server"), [files, "1", cache]),
      );
    const command = (live: boolean) => async () => {
      const port = await freePort();
      const more = live ? [] : ["--quiet"];
      const args = ["serve", files, "--port", String(port), ...more];
      const plain = commandFor(runtime, mainOf(workspace), args);
      return await startServerOn(port, live ? onTerminal(plain) : plain);
    };
    subjects.push(
      { runtime, name: LIBRARY, start: library("on") },
      { runtime, name: "serve --quiet", start: command(false) },
      ...terminal ? [{ runtime, name: "serve, live view", start: command(true) }] : [],
      { runtime, name: KEEPS_NOTHING, start: library("none") },
    );
  }
  return subjects;
}

/** The compiled command. */
function mainOf(workspace: Workspace): string {
  return join(workspace.script("."), "../../src/cli/main.js");
}

/** Runs a command on a terminal of its own, which only a live view is drawn on. */
function onTerminal({ argv, env }: Command): Command {
  const text = argv.map((word) => `'${word}'`).join(" ");
  return { argv: ["script", "-qfc", `exec ${text}`, "/dev/null"], ...(env && { env }) };
}

function report(
  subjects: readonly Subject[],
  cells: readonly (readonly Cell[])[],
  rounds: number,
): Report {
  return {
    title: "cli: sluice serve beside createFileServer, one thread each",
    method: [
      `wrk with ${CONNECTIONS} connections, kept alive, ${SECONDS} s a cell; median (min-max) of ${rounds} interleaved rounds, each of which begins with another server. ${PINNING}.`,
      "Requests per second, and CPU time of the server for one request in microseconds, user and system, all threads. Other programs on the machine change the first more than the second.",
      "The live view is drawn on a terminal of script(1).",
    ],
    columns: ["server", ...SIZES.map(([name]) => name)],
    rows: subjects.map(({ name, runtime }, index) => [
      `${runtime} ${name}`.trim(),
      ...cells[index]!.map(({ cpuMicros, perSecond }) =>
        `${number(summarize(perSecond).median)}/s; ${spread(summarize(cpuMicros))} us`
      ),
    ]),
    bars: subjects.flatMap((subject, index) => barsOf(subject, index, subjects, cells)),
    samples: subjects.map(({ name, runtime }, index) => ({
      name: `${runtime} ${name}`.trim(),
      loads: SIZES.map(([size], at) => ({ name: size, ...cells[index]![at]! })),
    })),
  };
}

/** Compares with what the limit is about, round by round. */
function barsOf(
  { name, runtime }: Subject,
  index: number,
  subjects: readonly Subject[],
  cells: readonly (readonly Cell[])[],
): Bar[] {
  const [other, limit] = LIMITS[name] ?? [];
  const beside = subjects.findIndex((each) =>
    each.name === other && (each.runtime === runtime || each.runtime === "")
  );
  if (beside < 0) return [];
  return SIZES.map(([size], at): Bar => ({
    subject: `${runtime} ${name}`,
    what: `${size}: CPU per request / ${other}`,
    value: ratios(cells[index]![at]!.cpuMicros, cells[beside]![at]!.cpuMicros),
    limit: limit!,
    wanted: "at most",
  }));
}
