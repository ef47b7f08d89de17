/** A web site of 20 precompressed assets, over kept connections, beside nginx and JavaScript servers. @module */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ACCEPTED, type Asset, verifyAssets, WITHOUT_WEIGHTS, writeAssets } from "../assets.ts";
import { hasWrk, runWrk, WRK_REMEDY } from "../client/wrk.ts";
import type { Context } from "../context.ts";
import {
  caddyVersion,
  commandFor,
  h2oVersion,
  nginxVersion,
  type RuntimeName,
  versionOf,
} from "../environment.ts";
import { cpuSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { freePort, REMEDY, startNginx } from "../nginx.ts";
import { compilePeer } from "../peers.ts";
import { PINNING, type Server, startServer, startServerOn } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import type { PeerName } from "../selection.ts";
import { TYPES } from "../servers/media_types.ts";
import { REMEDY as WEB_SERVERS_REMEDY, startCaddy, startH2o } from "../web_servers.ts";

const CONNECTIONS = 64;
const SECONDS = 2;
const THREADS = [1, 2] as const;
/** Least requests per CPU-second, as a multiple of nginx's. */
const OF_NGINX = 1.3;
/** Least requests per CPU-second of the command, as a multiple of the library's. */
const OF_LIBRARY = 0.97;
/** Where Debian's libnginx-mod-http-brotli-static puts it. */
const BROTLI = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";

interface Subject {
  readonly name: string;
  readonly kind: "nginx" | "library" | "command" | "peer" | "bound";
  readonly runtime: RuntimeName | undefined;
  readonly threads: number;
  /** Value of Accept-Encoding. */
  readonly accepted: string;
  start(): Promise<Server>;
}

interface Cell {
  readonly perSecond: number[];
  readonly perCpuSecond: number[];
  readonly p99: number[];
}

/** Other servers: each has one thread. */
const PEERS: readonly (readonly [RuntimeName, kind: string, name: string, PeerName])[] = [
  ["bun", "bun", "Bun.serve, Bun.file", "bun"],
  ["bun", "hono", "Hono, serveStatic", "hono"],
  ["node", "fastify", "@fastify/static", "fastify"],
];

/** Runs the benchmark. */
export async function arena(context: Context): Promise<Report> {
  const { workspace, rounds, note } = context;
  if (!hasWrk()) throw new Error(WRK_REMEDY);
  const folder = join(workspace.files, "site");
  const assets = writeAssets(folder);
  const scriptFor = (accepted: string) => {
    const script = join(workspace.files, `arena-${accepted.length}.lua`);
    writeFileSync(script, loadOf(assets, accepted));
    return script;
  };
  const scripts = new Map([ACCEPTED, WITHOUT_WEIGHTS].map((each) => [each, scriptFor(each)]));
  const subjects = subjectsOf(context, folder);
  const cells = subjects.map((): Cell => ({ perSecond: [], perCpuSecond: [], p99: [] }));
  for (const threads of THREADS) {
    const chosen = subjects.map((subject, index) => ({ ...subject, cell: cells[index]! }))
      .filter((subject) => subject.threads === threads);
    const servers: Server[] = [];
    const load = (port: number, accepted: string) => {
      const script = scripts.get(accepted)!;
      return runWrk({ port, path: "/", connections: CONNECTIONS, seconds: SECONDS, script });
    };
    for (const subject of chosen) {
      const server = await subject.start();
      servers.push(server);
      await verifyAssets(server.port, assets, subject.accepted);
      // Compiles hot code before the first round.
      load(server.port, subject.accepted);
    }
    for (let round = 1; round <= rounds; round++) {
      for (let turn = 0; turn < chosen.length; turn++) {
        // Another server begins each round, because the first one pays for what the last has left.
        const index = (turn + round) % chosen.length;
        const { pid, port } = servers[index]!;
        const { accepted, cell, name } = chosen[index]!;
        const before = cpuSeconds(pid);
        const result = load(port, accepted);
        if (result.errors > 0) throw new Error(`${name}: ${result.errors} errors`);
        cell.perSecond.push(result.perSecond);
        cell.perCpuSecond.push(result.requests / (cpuSeconds(pid) - before));
        cell.p99.push(result.p99Ms);
      }
      note(`threads ${threads}, round ${round}`);
    }
    for (const server of servers) await server.stop();
  }
  return report(subjects, cells, rounds, existsSync(BROTLI));
}

/** Asks for the assets in turn. */
function loadOf(assets: readonly Asset[], accepted: string): string {
  return `local paths = { ${assets.map(({ path }) => `"${path}"`).join(", ")} }
local at = 0
wrk.headers["Accept-Encoding"] = "${accepted}"
request = function()
  at = at % #paths + 1
  return wrk.format(nil, paths[at])
end
`;
}

function subjectsOf({ note, peers, runtimes, workspace }: Context, folder: string): Subject[] {
  const subjects: Subject[] = [];
  const program = peers.has("c") ? compilePeer(workspace, "http") : undefined;
  if (peers.has("c") && program === undefined) note("no C compiler: measured without the bound");
  const wanted = peers.has("nginx") && nginxVersion() !== undefined;
  if (peers.has("nginx") && !wanted) note(REMEDY);
  if (wanted && !existsSync(BROTLI)) {
    note("nginx has no module for .br files (Debian: libnginx-mod-http-brotli-static): left out");
  }
  for (const threads of THREADS) {
    const many = threads > 1 ? `, ${threads} threads` : "";
    const add = (
      name: string,
      kind: Subject["kind"],
      runtime: RuntimeName | undefined,
      start: () => Promise<Server>,
      accepted: string = ACCEPTED,
    ) => subjects.push({ name: `${name}${many}`, kind, runtime, threads, accepted, start });
    if (wanted && existsSync(BROTLI)) {
      for (const sendfile of ["on", "off"] as const) {
        const options = { keepsFiles: true, workers: threads, site: siteOptions() };
        add(
          `nginx, sendfile ${sendfile}`,
          "nginx",
          undefined,
          () => startNginx(folder, sendfile, options),
        );
      }
    }
    if (threads === 1 && program !== undefined) {
      const start = () => startServer({ argv: [program, folder] });
      add("C: recv, send, sendfile", "bound", undefined, start);
    }
    if (threads === 1) {
      for (
        const [peer, version, start, accepted] of [
          ["caddy", caddyVersion(), startCaddy, ACCEPTED],
          ["h2o", h2oVersion(), startH2o, WITHOUT_WEIGHTS],
        ] as const
      ) {
        if (!peers.has(peer)) continue;
        if (version === undefined) note(WEB_SERVERS_REMEDY);
        else add(peer, "peer", undefined, () => start(workspace.files, folder), accepted);
      }
    }
    for (const runtime of runtimes) {
      if (versionOf(runtime) === undefined) {
        if (threads === 1) note(`${runtime} is not installed: left out`);
        continue;
      }
      const place = { everywhere: threads > 1 };
      const program = (kind: string) => () => {
        const args = [folder, kind, String(threads)];
        return startServer(commandFor(runtime, workspace.script("servers/arena"), args), place);
      };
      add(`${runtime} createFileServer`, "library", runtime, program("sluice"));
      add(`${runtime} sluice serve`, "command", runtime, async () => {
        const port = await freePort();
        const main = join(workspace.script("."), "../../src/cli/main.js");
        const options = ["--precompressed", "--quiet", "--threads", String(threads)];
        const args = ["serve", folder, "--port", String(port), ...options];
        return await startServerOn(port, commandFor(runtime, main, args), place);
      });
      for (const [owner, kind, name, peer] of PEERS) {
        if (owner !== runtime || threads > 1 || !peers.has(peer)) continue;
        add(`${runtime} ${name}`, "peer", runtime, program(kind));
      }
    }
  }
  return subjects;
}

/** Settings of nginx's `http` for precompressed files. */
function siteOptions(): { load: string; http: string } {
  const types = Object.entries(TYPES).map(([ending, type]) => `${type} ${ending.slice(1)};`);
  return {
    load: BROTLI,
    http: `types { ${types.join(" ")} } gzip_static on; brotli_static on; gzip_vary on;`,
  };
}

function report(
  subjects: readonly Subject[],
  cells: readonly Cell[],
  rounds: number,
  brotli: boolean,
): Report {
  return {
    title:
      "arena: a site of 20 precompressed assets, beside nginx, Caddy, h2o, Bun, Hono and Fastify",
    method: [
      "20 assets of 2 to 300 KB: 15 texts with .br and .gz beside them, and 5 images and fonts, in turn. The sizes and the headers follow the static profile of HttpArena.",
      `wrk with ${CONNECTIONS} kept connections, Accept-Encoding: ${ACCEPTED}, ${SECONDS} s; median (min-max) of ${rounds} interleaved rounds, each of which begins with another server. A check of all bodies comes first. ${PINNING}; servers with two threads share both processors with wrk.`,
      `Requests per CPU-second: of all threads of the server, user and system. nginx has open_file_cache, gzip_static${
        brotli ? " and brotli_static" : ""
      }; the better of sendfile on and off counts in each round.`,
      `h2o gets Accept-Encoding: ${WITHOUT_WEIGHTS}, because it does not understand weights. Caddy and h2o have one thread.`,
      "C: the calls of createFileServer for files that are open and kept, without a runtime and almost without HTTP (bench/peers/http.c): what the kernel alone takes.",
    ],
    columns: ["server", "requests per CPU-s", "requests/s", "p99 ms"],
    rows: subjects.map(({ name }, index) => {
      const { p99, perCpuSecond, perSecond } = cells[index]!;
      return [
        name,
        spread(summarize(perCpuSecond)),
        spread(summarize(perSecond)),
        number(summarize(p99).median),
      ];
    }),
    bars: subjects.flatMap((subject, index) => barsOf(subject, cells[index]!, subjects, cells)),
    samples: subjects.map(({ name }, index) => ({ name, ...cells[index]! })),
  };
}

function barsOf(
  { kind, name, runtime, threads }: Subject,
  own: Cell,
  subjects: readonly Subject[],
  cells: readonly Cell[],
): Bar[] {
  if (kind !== "library" && kind !== "command") return [];
  const found = (wanted: Subject["kind"]) =>
    cells.filter((_, index) => {
      const other = subjects[index]!;
      const same = wanted === "nginx" || other.runtime === runtime;
      return other.kind === wanted && other.threads === threads && same;
    });
  const bar = (
    what: string,
    value: readonly number[],
    others: readonly number[],
    limit: number,
  ) => {
    const compared = ratios(value, others);
    return { subject: name, what, value: compared, limit, wanted: "at least" } as const;
  };
  const nginx = found("nginx");
  const best = (pick: (cell: Cell) => readonly number[]) =>
    pick(own).map((_, round) => Math.max(...nginx.map((cell) => pick(cell)[round]!)));
  const bars: Bar[] = [];
  if (nginx.length > 0) {
    const { perCpuSecond, perSecond } = own;
    bars.push(
      bar("requests per CPU-s / nginx", perCpuSecond, best((cell) => cell.perCpuSecond), OF_NGINX),
      bar("requests/s / nginx", perSecond, best((cell) => cell.perSecond), 1),
    );
  }
  if (kind === "command") {
    const [library] = found("library");
    const value = own.perCpuSecond;
    bars.push(bar("requests per CPU-s / library", value, library!.perCpuSecond, OF_LIBRARY));
  }
  return bars;
}
