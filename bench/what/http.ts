/** `createFileServer` by kind of request, beside nginx and JavaScript packages. @module */

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hasWrk, runWrk, WRK_REMEDY, type WrkJob } from "../client/wrk.ts";
import type { Context } from "../context.ts";
import {
  commandFor,
  CONGESTION,
  nginxVersion,
  type RuntimeName,
  versionOf,
} from "../environment.ts";
import { cpuSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { startNginx } from "../nginx.ts";
import { compilePeer } from "../peers.ts";
import { PINNING, type Server, startServer } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import type { PeerName } from "../selection.ts";
import { verify } from "../verify.ts";
import type { Workspace } from "../workspace.ts";

const KIB = 1024;
const SECONDS = 1;
/** A file of 4 GiB: each 512 KiB begin with 64 KiB of data, and a hole follows. */
const HUGE_BYTES = 4 * 2 ** 30;
const PIECE = 64 * KIB;
const DISTANCE = 512 * KIB;

/** A kind of request. */
interface Load {
  readonly name: string;
  readonly path: string;
  readonly connections: number;
  /** What the limits apply to: requests per second, or CPU per GB. */
  readonly by: "rate" | "cpu";
  readonly unchanged?: true;
  /** Kind of ranges of the huge file to request. */
  readonly ranges?: "data" | "holes";
}

const LOADS: readonly Load[] = [
  { name: "1 KiB", path: "/1k", connections: 64, by: "rate" },
  { name: "10 KiB", path: "/10k", connections: 64, by: "rate" },
  { name: "64 KiB", path: "/64k", connections: 64, by: "rate" },
  { name: "304", path: "/10k", connections: 64, by: "rate", unchanged: true },
  { name: "1 MiB", path: "/1m", connections: 32, by: "cpu" },
  { name: "100 MiB", path: "/100m", connections: 100, by: "cpu" },
  { name: "64 KiB of 4 GiB", path: "/huge", connections: 32, by: "rate", ranges: "data" },
  { name: "of its holes", path: "/huge", connections: 32, by: "rate", ranges: "holes" },
];

type Kind = "ours" | "ours, nothing kept" | "nginx" | "peer" | "bound";

interface Subject {
  readonly name: string;
  readonly kind: Kind;
  /** Whether it supports conditions and ranges. */
  readonly whole: boolean;
  start(workspace: Workspace): Promise<Server>;
}

interface Cell {
  readonly perSecond: number[];
  readonly p99: number[];
  readonly cpuPerGb: number[];
  /** CPU microseconds of the server per request. */
  readonly cpuMicros: number[];
}

type Peer = readonly [peer: PeerName, name: string, script: string, whole: boolean];

const PEERS: Record<RuntimeName, readonly Peer[]> = {
  "node": [
    ["sirv", "http-sirv", "middleware", false],
    ["express", "express-static", "middleware", true],
    ["fastify", "fastify-static", "middleware", true],
    ["send", "http-send", "middleware", true],
  ],
  "node-ffi": [],
  "bun": [
    ["bun", "Bun.serve", "bun_serve", false],
    ["bun", "Bun.serve, dir", "bun_dir", true],
  ],
  "deno": [["deno", "Deno.serve", "deno_serve", false]],
};

/** Runs the benchmark. */
export async function http(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  if (!hasWrk()) throw new Error(WRK_REMEDY);
  const files = [["1k", KIB], ["10k", 10 * KIB], ["64k", 64 * KIB], ["1m", KIB * KIB]] as const;
  const served = files.map(([name, size]) => workspace.file(name, size));
  served.push(workspace.file("100m", 100 * KIB * KIB));
  const piece = makeHuge(join(workspace.files, "huge"));
  const scripts = { data: scriptFor(workspace, 0), holes: scriptFor(workspace, PIECE) };

  const subjects = subjectsOf(context);
  const servers: Server[] = [];
  const cells = new Map<Subject, Map<Load, Cell>>();
  for (const subject of subjects) {
    const server = await subject.start(workspace);
    servers.push(server);
    for (const file of served) await verify(server.port, file);
    if (subject.whole) await verifyRanges(server.port, piece);
    cells.set(subject, new Map());
    // Compiles the code of each kind of request before the first round.
    const compiles = subject.kind !== "nginx" && subject.kind !== "bound";
    for (const load of LOADS.filter((load) => compiles && answers(subject, load))) {
      runWrk(await jobFor(load, server.port, scripts));
    }
    note(`${subject.name} is ready`);
  }
  for (let round = 1; round <= rounds; round++) {
    // Another server begins each round, because the first one pays for what the last load has left.
    const first = Math.floor((round - 1) * subjects.length / rounds);
    for (const load of LOADS) {
      for (let turn = 0; turn < subjects.length; turn++) {
        const index = (first + turn) % subjects.length;
        const subject = subjects[index]!;
        if (!answers(subject, load)) continue;
        const { pid, port } = servers[index]!;
        const job = await jobFor(load, port, scripts);
        const before = cpuSeconds(pid);
        const result = runWrk(job);
        const cpu = cpuSeconds(pid) - before;
        if (result.errors > 0) throw new Error(`${subject.name}: ${JSON.stringify(result)}`);
        const cell = cells.get(subject)!.get(load) ??
          { perSecond: [], p99: [], cpuPerGb: [], cpuMicros: [] };
        cells.get(subject)!.set(load, cell);
        cell.perSecond.push(result.perSecond);
        cell.p99.push(result.p99Ms);
        cell.cpuMicros.push(cpu * 1e6 / result.requests);
        cell.cpuPerGb.push(cpu / (result.bytes / 1e9));
      }
      note(`round ${round}: ${load.name}`);
    }
  }
  for (const server of servers) await server.stop();
  return report(subjects, cells, rounds);
}

/** Whether a subject answers requests of this kind. */
function answers({ whole }: Subject, { ranges, unchanged }: Load): boolean {
  return whole || !(unchanged || ranges);
}

/** Describes the load on a server. */
async function jobFor(
  { connections, path, ranges, unchanged }: Load,
  port: number,
  scripts: Readonly<Record<"data" | "holes", string>>,
): Promise<WrkJob> {
  return {
    port,
    path,
    connections,
    seconds: SECONDS,
    ...unchanged && { headers: { "If-None-Match": await tagOf(port, path) } },
    ...ranges && { script: scripts[ranges] },
  };
}

function subjectsOf({ runtimes, peers, note, workspace }: Context): Subject[] {
  const subjects: Subject[] = [];
  if (peers.has("nginx") && nginxVersion() !== undefined) {
    for (const sendfile of ["on", "off"] as const) {
      subjects.push({
        name: `nginx, sendfile ${sendfile}`,
        kind: "nginx",
        whole: true,
        start: ({ files }) => startNginx(files, sendfile, { keepsFiles: true }),
      });
    }
  }
  const program = peers.has("c") ? compilePeer(workspace, "http") : undefined;
  if (peers.has("c") && program === undefined) note("no C compiler: measured without the bound");
  if (program !== undefined) {
    const start = ({ files }: Workspace) => startServer({ argv: [program, files] });
    subjects.push({ name: "C: recv, send, sendfile", kind: "bound", whole: true, start });
  }
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) {
      note(`${runtime} is not installed: left out`);
      continue;
    }
    const add = (name: string, kind: Kind, whole: boolean, script: string, ...more: string[]) =>
      subjects.push({
        name: `${runtime} ${name}`,
        kind,
        whole,
        start: (workspace) =>
          startServer(
            commandFor(runtime, workspace.script(`servers/${script}`), [workspace.files, ...more]),
          ),
      });
    add("sluice", "ours", true, "file_server", "1", "on");
    add("sluice, nothing kept", "ours, nothing kept", true, "file_server", "1", "off");
    for (const [peer, name, script, whole] of PEERS[runtime]) {
      if (peers.has(peer)) add(name, "peer", whole, script, name);
    }
  }
  return subjects;
}

async function tagOf(port: number, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  await answer.arrayBuffer();
  return answer.headers.get("etag") ?? "";
}

/** Writes the huge file, and returns the data that repeats in it. */
function makeHuge(path: string): Uint8Array {
  const piece = randomBytes(PIECE);
  const fd = openSync(path, "w");
  ftruncateSync(fd, HUGE_BYTES);
  for (let at = 0; at < HUGE_BYTES; at += DISTANCE) writeSync(fd, piece, 0, PIECE, at);
  fsyncSync(fd);
  closeSync(fd);
  return piece;
}

/** Checks a range of data and a range of a hole. */
async function verifyRanges(port: number, piece: Uint8Array): Promise<void> {
  for (const [start, expected] of [[0, piece], [PIECE, new Uint8Array(PIECE)]] as const) {
    const first = HUGE_BYTES / 2 + start;
    const headers = { Range: `bytes=${first}-${first + PIECE - 1}` };
    const answer = await fetch(`http://127.0.0.1:${port}/huge`, { headers });
    const body = new Uint8Array(await answer.arrayBuffer());
    if (answer.status === 206 && Buffer.compare(body, expected) === 0) continue;
    throw new Error(`A range is wrong: status ${answer.status}, ${body.length} bytes`);
  }
}

/** Writes a wrk script that requests random parts of 64 KiB, the same ones of every server. */
function scriptFor(workspace: Workspace, offset: number): string {
  const path = join(workspace.files, "..", `ranges-${offset}.lua`);
  writeFileSync(
    path,
    `
math.randomseed(1)
request = function()
  local start = math.random(0, ${HUGE_BYTES / DISTANCE - 1}) * ${DISTANCE} + ${offset}
  wrk.headers["Range"] = string.format("bytes=%.0f-%.0f", start, start + ${PIECE - 1})
  return wrk.format("GET")
end
`,
  );
  return path;
}

function report(
  subjects: readonly Subject[],
  cells: ReadonlyMap<Subject, ReadonlyMap<Load, Cell>>,
  rounds: number,
): Report {
  return {
    title: "http: createFileServer beside nginx and others, one thread each",
    method: [
      `wrk with 64 connections (32 at 1 MiB and for ranges, 100 at 100 MiB), kept alive, ${SECONDS} s a cell; median (min-max) of ${rounds} interleaved rounds, each of which begins with another server. ${PINNING}.`,
      CONGESTION,
      "At 1 MiB and 100 MiB: CPU-s per GB. Elsewhere: requests per second, the 99th percentile of the latency, and the CPU time of the server for one request. CPU counts all threads.",
      'nginx has one worker and open_file_cache, valid for 1 s as in sluice. sluice keeps files up to 32 KiB in memory; "nothing kept" keeps open files only.',
      "C: the calls of createFileServer for files that are open and kept, without a runtime and almost without HTTP (bench/peers/http.c): what the kernel alone takes. Each kind of request runs for 1 s before the first round, because a runtime compiles its code then.",
      "wrk copies what it receives, so from 64 KiB on the client limits the rate; CPU figures are not affected. The bytes were checked before.",
    ],
    columns: ["server", ...LOADS.map(({ name }) => name)],
    rows: subjects.map((subject) => [
      subject.name,
      ...LOADS.map((load) => {
        const cell = cells.get(subject)!.get(load);
        if (cell === undefined) return "-";
        return load.by === "cpu" ? spread(summarize(cell.cpuPerGb)) : [
          `${number(summarize(cell.perSecond).median)}/s`,
          `${number(summarize(cell.p99).median)} ms`,
          `${number(summarize(cell.cpuMicros).median)} us`,
        ].join("; ");
      }),
    ]),
    bars: subjects.filter(({ kind }) => kind === "ours").flatMap((ours) => [
      ...barsOf(ours, subjects, cells),
      ...barsBesidePeers(ours, subjects, cells),
    ]),
    samples: subjects.map((subject) => ({
      name: subject.name,
      loads: [...cells.get(subject)!].map(([{ name }, cell]) => ({ name, ...cell })),
    })),
  };
}

/** Compares with the better of the two nginx, round by round. */
function barsOf(
  ours: Subject,
  subjects: readonly Subject[],
  cells: ReadonlyMap<Subject, ReadonlyMap<Load, Cell>>,
): Bar[] {
  const nginx = subjects.filter(({ kind }) => kind === "nginx");
  if (nginx.length === 0) return [];
  return LOADS.flatMap((load): Bar[] => {
    const own = cells.get(ours)!.get(load)!;
    const theirs = nginx.map((subject) => cells.get(subject)!.get(load)!);
    const best = (pick: (cell: Cell) => number[], better: (...values: number[]) => number) =>
      own.perSecond.map((_, round) => better(...theirs.map((cell) => pick(cell)[round]!)));
    const bar = (what: string, value: Bar["value"], limit: number, wanted: Bar["wanted"]) => ({
      subject: ours.name,
      what: `${load.name}: ${what}`,
      value,
      limit,
      wanted,
    });
    if (load.by === "cpu") {
      const least = best(({ cpuPerGb }) => cpuPerGb, Math.min);
      return [bar("CPU / nginx", ratios(own.cpuPerGb, least), 1, "at most")];
    }
    const most = best(({ perSecond }) => perSecond, Math.max);
    const late = best(({ p99 }) => p99, Math.min);
    const cheap = best(({ cpuMicros }) => cpuMicros, Math.min);
    return [
      bar("CPU per request / nginx", ratios(own.cpuMicros, cheap), 0.9, "at most"),
      bar("requests / nginx", ratios(own.perSecond, most), 1.1, "at least"),
      bar("p99 / nginx", ratios(own.p99, late), 1, "at most"),
    ];
  });
}

/** Compares with the peers on the same runtime, round by round. */
function barsBesidePeers(
  ours: Subject,
  subjects: readonly Subject[],
  cells: ReadonlyMap<Subject, ReadonlyMap<Load, Cell>>,
): Bar[] {
  const runtime = ours.name.split(" ", 1)[0]!;
  return subjects.filter(({ kind, name }) => kind === "peer" && name.startsWith(`${runtime} `))
    .flatMap((peer) =>
      LOADS.flatMap((load): Bar[] => {
        const own = cells.get(ours)!.get(load)!;
        const other = cells.get(peer)!.get(load);
        if (other === undefined) return [];
        const name = peer.name.slice(runtime.length + 1);
        const subject = ours.name;
        if (load.by === "cpu") {
          const value = ratios(own.cpuPerGb, other.cpuPerGb);
          return [{
            subject,
            what: `${load.name}: CPU / ${name}`,
            value,
            limit: 1,
            wanted: "at most",
          }];
        }
        const value = ratios(own.perSecond, other.perSecond);
        const what = `${load.name}: requests / ${name}`;
        return [{ subject, what, value, limit: 1, wanted: "at least" }];
      })
    );
}
