/** `npm run bench -- WHAT`: see {@linkcode HELP}. @module */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Benchmark } from "./context.ts";
import {
  loadBefore,
  machine,
  nginxVersion,
  type RuntimeName,
  RUNTIMES,
  versionOf,
} from "./environment.ts";
import { endWithParent } from "./processes.ts";
import { render } from "./report.ts";
import { publish } from "./publish.ts";
import { save } from "./results.ts";
import { listInstalled } from "./installed.ts";
import { describePeers, listFor, type PeerName, selectPeers } from "./selection.ts";
import { arena } from "./what/arena.ts";
import { broadcast } from "./what/broadcast.ts";
import { cli } from "./what/cli.ts";
import { cold } from "./what/cold.ts";
import { copy } from "./what/copy.ts";
import { crowd } from "./what/crowd.ts";
import { direct } from "./what/direct.ts";
import { fallback } from "./what/fallback.ts";
import { examples } from "./what/examples.ts";
import { ffi } from "./what/ffi.ts";
import { mmap } from "./what/mmap.ts";
import { log } from "./what/log.ts";
import { relay } from "./what/relay.ts";
import { http } from "./what/http.ts";
import { https } from "./what/https.ts";
import { middleware } from "./what/middleware.ts";
import { serve, unpinned } from "./what/serve.ts";
import { growth } from "./what/growth.ts";
import { slow } from "./what/slow.ts";
import { start } from "./what/start.ts";
import { transfer } from "./what/transfer.ts";
import { Workspace } from "./workspace.ts";

const BENCHMARKS: Record<string, Benchmark> = {
  serve,
  unpinned,
  slow,
  crowd,
  cold,
  direct,
  http,
  https,
  arena,
  cli,
  fallback,
  middleware,
  relay,
  log,
  transfer,
  copy,
  mmap,
  broadcast,
  growth,
  start,
  ffi,
  examples,
};

const HELP = `Usage: npm run bench -- WHAT [options]

  serve       100 clients x 100 MiB: CPU per GB, throughput and memory, beside nginx and pipe()
  unpinned    the same with no process on a processor of its own; with one and two threads
  http        createFileServer by kind of request, beside nginx, sirv, Fastify and the runtimes
  https       createFileServer by TLS: large and small files, handshakes, idle connections
  arena       a site of 20 precompressed assets, beside nginx, Caddy, h2o, Bun, Hono and Fastify
  cli         sluice serve beside createFileServer: quiet, with its live view; and without a cache
  fallback    requests that createFileServer forwards to a program, beside nginx proxy_pass
  middleware  serveStatic() under Express and Fastify, beside their own and sirv, by file size
  slow        1,000 slow readers: their memory, and a small request beside them
  crowd       10,000 connections, idle and reading slowly: memory, and a small request beside them
  cold        a small request while 4 clients stream files that are not in the page cache
  direct      direct I/O beside fio and dd: random reads, sequential reads and writes, a backup
  ffi         what a call through src/sys/raw costs over the bare call of the backend
  relay       20 clients x 100 MB through a relay, beside HAProxy and pipe()
  log         examples/log_broker: records produced and fetched, and its CPU beside plain sendfile
  transfer    file to pipe to file, and to a socket, beside the same calls in C
  copy        copyFile() beside fs.copyFile() and cp, and what it leaves in the page cache
  mmap        64 bytes at random offsets of a mapped file, beside readSync and promises
  broadcast   1 GiB to 16 clients at once: CPU beside streams, and what one stopped client costs
  growth      how cost grows: to 10,000 connections, 64 GiB and 1,000,000 files in a folder; beside nginx
  start       sluice serve from the shell to its first answer, and its idle memory (npm run build first)
  examples    the famous programs in examples/, each with its own comparison
  all         all of them, which takes about an hour; the default
  list        prints these names

  --runtimes LIST   some of ${RUNTIMES.join(",")} (default: all)
  --rounds N        number of interleaved rounds (default: 5)
  --scale SHARE     share of the usual time of each measurement, such as 0.3 (https); largest sizes (growth)
  --json FILE       also write every single figure to FILE
  --save            also keep the figures in bench/results, for the report
  --peers LIST      peers to run instead of the usual ones; "none" runs sluice alone

  peers             lists the peers of each benchmark, and which are installed;
                    bench/install_peers.sh installs the rest
  report            draws the newest results: charts, docs/benchmarks.md, tables in README.md
`;

/** The parsed command line. */
interface Request {
  readonly benchmark: Benchmark | "all";
  readonly runtimes: readonly RuntimeName[];
  readonly rounds: number;
  readonly scale: number;
  readonly peers: ReadonlySet<PeerName>;
  /** The peers as given. With `all`, each benchmark takes its own from them. */
  readonly asked: string | undefined;
  readonly json: string | undefined;
  /** Name to keep the figures under; `undefined` to print them only. */
  readonly keep: string | undefined;
}

/** Parses the command line; returns a string to print it instead of measuring. */
function parse(): Request | string {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runtimes: { type: "string", default: RUNTIMES.join(",") },
      rounds: { type: "string", default: "5" },
      scale: { type: "string", default: "1" },
      json: { type: "string" },
      save: { type: "boolean", default: false },
      peers: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [what = "all", ...others] = positionals;
  if (values.help) return HELP;
  if (what === "report") return `${publish().join("\n")}\n`;
  if (what === "peers") return `${[...describePeers(), "", ...listInstalled()].join("\n")}\n`;
  if (what === "list") return `${Object.keys(BENCHMARKS).join("\n")}\n`;
  if (!Object.hasOwn(BENCHMARKS, what) && what !== "all" || others.length > 0) {
    throw new TypeError(HELP);
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new RangeError(`Cannot run "${values.rounds}" rounds: expected an integer from 1`);
  }
  const scale = Number(values.scale);
  if (!(scale > 0)) {
    throw new RangeError(`Cannot scale by "${values.scale}": expected a number above 0`);
  }
  const runtimes = values.runtimes.split(",").map(runtimeName);
  return {
    benchmark: what === "all" ? "all" : BENCHMARKS[what]!,
    runtimes,
    rounds,
    scale,
    peers: selectPeers(what, values.peers),
    asked: values.peers,
    json: values.json,
    keep: values.save ? what : undefined,
  };
}

/** Runs each benchmark in its own process, so that none affects the next. */
function measureAll(asked: string | undefined): void {
  const options = process.argv.slice(2).filter((each) => each !== "all");
  const failed = Object.keys(BENCHMARKS).filter((what) => {
    // Later options override earlier ones.
    const peers = asked === undefined ? [] : ["--peers", listFor(what, asked)];
    const argv = [...process.execArgv, process.argv[1]!, what, ...options, ...peers];
    const { status, signal } = spawnSync(process.execPath, argv, { stdio: "inherit" });
    // The child has cleaned up by now: see `endWithParent`.
    if (signal === "SIGINT" || status === 130) process.exit(130);
    if (status === 143) process.exit(143);
    return status !== 0;
  });
  if (failed.length === 0) return;
  console.error(`Failed: ${failed.join(", ")}`);
  process.exitCode = 1;
}

async function measure(request: Request): Promise<void> {
  const { benchmark, runtimes, rounds, scale, peers, asked, json, keep } = request;
  if (benchmark === "all") return measureAll(asked);
  const environment = { machine: machine(), load: loadBefore(), versions: versionsOf(runtimes) };
  endWithParent();
  const note = (text: string) => void process.stderr.write(`# ${text}\n`);
  const workspace = new Workspace();
  const report = await benchmark({ workspace, runtimes, rounds, scale, peers, note });
  const { machine: host, load, versions } = environment;
  console.log(`${render(report)}\n\n${host}, ${load}; ${Object.values(versions).join(", ")}`);
  if (json !== undefined) {
    const { title, method, bars, samples } = report;
    const figures = { title, environment, method, bars, samples };
    writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`);
  }
  if (keep !== undefined) console.log(`\nKept as ${save(keep, report, environment)}`);
}

function runtimeName(text: string): RuntimeName {
  const name = RUNTIMES.find((each) => each === text);
  if (name !== undefined) return name;
  throw new TypeError(`Cannot run "${text}": expected some of ${RUNTIMES.join(",")}`);
}

function versionsOf(runtimes: readonly RuntimeName[]): Record<string, string> {
  const versions: Record<string, string> = { nginx: nginxVersion() ?? "no nginx" };
  for (const name of runtimes) versions[name] = `${name} ${versionOf(name) ?? "is missing"}`;
  return versions;
}

let request: Request | string;
try {
  request = parse();
} catch (error) {
  console.error((error as Error).message);
  process.exit(2);
}
if (typeof request === "string") process.stdout.write(request);
else await measure(request);
