/** `npm run bench -- WHAT`: see {@linkcode HELP}. @module */

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
import { cold } from "./what/cold.ts";
import { copy } from "./what/copy.ts";
import { direct } from "./what/direct.ts";
import { ffi } from "./what/ffi.ts";
import { mmap } from "./what/mmap.ts";
import { relay } from "./what/relay.ts";
import { http } from "./what/http.ts";
import { middleware } from "./what/middleware.ts";
import { serve } from "./what/serve.ts";
import { slow } from "./what/slow.ts";
import { transfer } from "./what/transfer.ts";
import { Workspace } from "./workspace.ts";

const BENCHMARKS: Record<string, Benchmark> = {
  serve,
  slow,
  cold,
  http,
  direct,
  middleware,
  relay,
  transfer,
  copy,
  mmap,
  ffi,
};

const HELP = `Usage: npm run bench -- WHAT [options]

  serve   100 clients x 100 MiB: CPU per GB, throughput and memory beside nginx and pipe()
  http    createFileServer by kind of request, beside nginx, sirv, Fastify and the runtimes
  middleware  serveStatic() under Express and Fastify beside their own, and sirv, by file size
  slow    1,000 slow readers: the memory that they cost, and a small request beside them
  cold    a small request while 4 clients stream files that are not in the page cache
  direct  direct I/O beside fio and dd: random reads, sequential reads and writes, a backup
  ffi     what a call through src/sys/raw costs over the bare call of the backend
  relay   20 clients x 100 MB through a relay: beside HAProxy and pipe()
  transfer  file to pipe to file, and to a socket, beside the same calls in C
  copy    copyFile() beside fs.copyFile() and cp, and what it leaves in the page cache
  mmap    64 bytes at random places of a mapped file: beside readSync and promises
  list    the names above

  --runtimes LIST   of ${RUNTIMES.join(",")}; all of them by default
  --rounds N        rounds, which are interleaved; 5 by default
  --json FILE       also writes every single figure
`;

/** What the command line asks for. */
interface Request {
  readonly benchmark: Benchmark;
  readonly runtimes: readonly RuntimeName[];
  readonly rounds: number;
  readonly json: string | undefined;
}

/** Reads the command line; a string is what to print instead of measuring. */
function parse(): Request | string {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runtimes: { type: "string", default: RUNTIMES.join(",") },
      rounds: { type: "string", default: "5" },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [what = "", ...others] = positionals;
  if (values.help) return HELP;
  if (what === "list") return `${Object.keys(BENCHMARKS).join("\n")}\n`;
  if (!Object.hasOwn(BENCHMARKS, what) || others.length > 0) throw new TypeError(HELP);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new RangeError(`Cannot run "${values.rounds}" rounds: expected an integer from 1`);
  }
  const runtimes = values.runtimes.split(",").map(runtimeName);
  return { benchmark: BENCHMARKS[what]!, runtimes, rounds, json: values.json };
}

async function measure({ benchmark, runtimes, rounds, json }: Request): Promise<void> {
  const environment = { machine: machine(), load: loadBefore(), versions: versionsOf(runtimes) };
  endWithParent();
  const note = (text: string) => void process.stderr.write(`# ${text}\n`);
  const report = await benchmark({ workspace: new Workspace(), runtimes, rounds, note });
  const { machine: host, load, versions } = environment;
  console.log(`${render(report)}\n\n${host}, ${load}; ${Object.values(versions).join(", ")}`);
  if (json !== undefined) {
    const { title, method, bars, samples } = report;
    const figures = { title, environment, method, bars, samples };
    writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`);
  }
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
