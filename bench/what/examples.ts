/**
 * The programs in `examples/` that compare themselves with others: runs each as a user would, and draws
 * one picture of it for the README.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Entry } from "../chart.ts";
import type { Context } from "../context.ts";
import { commandFor } from "../environment.ts";
import { summarize, type Summary } from "../measure/stats.ts";
import { log } from "./log.ts";
import { number, type Picture, type Report, spread } from "../report.ts";

const exec = promisify(execFile);
const EXAMPLES = new URL("../../examples/", import.meta.url);
const PROGRAMS = "/usr/lib/postgresql";

/** Figures of one run, by name. */
type Figures = ReadonlyMap<string, number>;

/** An example. */
interface Subject {
  readonly name: string;
  readonly title: string;
  /** Unit of the figures. */
  readonly unit: string;
  run(context: Context): Promise<Figures>;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "transfer_to",
    title: "CPU time of the sender of 700 MB over TCP",
    unit: "CPU-s/GB",
    async run(context) {
      const output = await run(context, "transfer_to.ts", ["--max", "700", "--rounds", "1"]);
      const [, costs = ""] = output.split("per gigabyte:");
      return found(costs, /^ *(\S.*?) {2}([\d.]+) s$/gm);
    },
  },
  {
    name: "map_large",
    title: "Searching a file of 1 GB with a heap of 64 MiB",
    unit: "GB/s",
    async run(context) {
      const output = await run(context, "map_large.ts", [], ["--max-old-space-size=64"]);
      const names: Record<string, string> = { mapped: "sluice, mapped file", streams: "streams" };
      const speeds = found(output, /^(mapped|streams|grep|rg) +\d+ +([\d.]+)/gm);
      return new Map([...speeds].map(([name, speed]) => [names[name] ?? `${name} -c`, speed]));
    },
  },
  {
    name: "chat_tee",
    title: "CPU time of one delivery in a room of 1,000",
    unit: "microseconds",
    async run(context) {
      const output = await run(context, "chat_tee/compare.ts", ["--seconds", "0.5"]);
      return new Map(["1024", "65536"].flatMap((size) => {
        const [, tee, buffer] = new RegExp(`^ +${size} +([\\d.]+) +([\\d.]+)`, "m").exec(output)!;
        const text = size === "1024" ? "1 KiB" : "64 KiB";
        const figures: [string, number][] = [[`${text}, sluice: tee(2)`, Number(tee)]];
        return [...figures, [`${text}, a buffer`, Number(buffer)]] as [string, number][];
      }));
    },
  },
  {
    name: "edge_cache",
    title: "CPU time of a hit, with nginx's as 1",
    unit: "times",
    async run(context) {
      const output = await run(context, "edge_cache/compare.ts", ["--seconds", "2"]);
      const costs = found(output, /^hits \/(\S+ +\S+) .*?([\d.]+) us CPU/gm);
      const cost = (name: string) =>
        [...costs].find(([key]) => key.replace(/ +/, " ") === name)![1];
      return new Map([
        ["nginx proxy_cache", 1],
        ["sluice, 4 KiB", cost("4K sluice") / cost("4K nginx")],
        ["sluice, 10 MB", cost("10M sluice") / cost("10M nginx")],
      ]);
    },
  },
  {
    name: "log_broker",
    title: "CPU time of a Fetch, with a C program that answers it by sendfile(2) as 1",
    unit: "times",
    async run(context) {
      // The first round also pays for what V8 compiles: the median of three is what a broker costs.
      const { bars } = await log({ ...context, rounds: 3 });
      const costs = bars.filter(({ what }) => what === "CPU / sendfile in C");
      const figures = costs.map(({ subject, value }) =>
        [`sluice, ${subject}`, value.median] as const
      );
      return new Map([["the same in C", 1], ...figures]);
    },
  },
  {
    name: "postgres_backup",
    title: "What a backup leaves in the page cache",
    unit: "MB",
    run: backUp,
  },
];

/** Runs the benchmark. */
export async function examples(context: Context): Promise<Report> {
  const { rounds, note } = context;
  const all = new Map<Subject, Figures[]>(SUBJECTS.map((subject) => [subject, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [subject, runs] of all) {
      try {
        runs.push(await subject.run(context));
        note(`round ${round}, ${subject.name}`);
      } catch (error) {
        note(`without ${subject.name}: ${(error as Error).message}`);
      }
    }
  }
  const pictures = [...all].filter(([, runs]) => runs.length > 0).map(picture);
  return {
    title: "examples: the famous programs, beside others",
    method: [
      `Each example ran its own comparison, on Node.js (log_broker: on all runtimes), in ${rounds} interleaved rounds: the median, and all rounds in brackets.`,
      "Less is better, except for the speed of map_large. Nothing is pinned to a processor, except for log_broker.",
      "edge_cache: if the system's congestion control is BBR, the cache turns its pacing off on loopback, and nginx does not.",
      "postgres_backup: a database of pgbench that is in the page cache before; what was evicted counts as negative.",
    ],
    columns: ["example", "", "unit", "figure"],
    rows: [...all.keys()].flatMap(({ name, unit }) => {
      const entries = pictures.find((each) => each.name === name)?.entries ?? [];
      return entries.map((entry) => [name, entry.label, unit, spread(entry)]);
    }),
    bars: [],
    pictures,
    samples: Object.fromEntries([...all].map(([{ name }, runs]) => [
      name,
      runs.map((figures) => Object.fromEntries(figures)),
    ])),
  };
}

function picture([{ name, title, unit }, runs]: [Subject, Figures[]]): Picture {
  const entries = [...runs[0]!.keys()].map((label): Entry => {
    const { median, min, max }: Summary = summarize(runs.map((figures) => figures.get(label)!));
    return { label, median: Number(number(median)), min, max };
  });
  return { name, title: `${name}: ${title} (${unit})`, entries };
}

/** Runs an example, and returns its output. */
async function run(
  { workspace }: Context,
  file: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<string> {
  const { argv, env } = commandFor("node", fileURLToPath(new URL(file, EXAMPLES)), args);
  const [program, ...rest] = argv;
  const { stdout } = await exec(program!, [...flags, ...rest], {
    cwd: workspace.files,
    env: { ...process.env, ...env },
  });
  return stdout;
}

/** All matches of a pattern with a name and a figure. */
function found(text: string, pattern: RegExp): Figures {
  return new Map(Array.from(text.matchAll(pattern), ([, name, figure]) => [name!, Number(figure)]));
}

/** Backs up a server of its own. PostgreSQL refuses root, so its programs run as its own user. */
async function backUp({ workspace }: Context): Promise<Figures> {
  const [version] = readdirSync(PROGRAMS).sort().reverse();
  const bin = join(PROGRAMS, version!, "bin");
  const root = process.getuid?.() === 0;
  const place = join(workspace.files, `postgres-${Date.now()}`);
  mkdirSync(place);
  const reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
  const owner = root
    ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", ...reads]
    : [];
  const env = { ...process.env, PGHOST: place, PGUSER: "sluice", PGDATABASE: "postgres" };
  const asOwner = async (...command: string[]) => {
    const [program, ...args] = [...owner, ...command];
    return (await exec(program!, args, { env, cwd: place })).stdout;
  };
  if (root) chownSync(place, Number((await exec("id", ["-u", "postgres"])).stdout), 0);
  const data = join(place, "data");
  await asOwner(join(bin, "initdb"), "-A", "trust", "-U", "sluice", "-D", data);
  const options = `-c listen_addresses= -c unix_socket_directories=${place}`;
  const server = [join(bin, "pg_ctl"), "-D", data, "-w"];
  await asOwner(...server, "-l", join(place, "log"), "-o", options, "start");
  try {
    await asOwner(join(bin, "pgbench"), "-i", "-q", "-s", "10");
    const { argv } = commandFor("node", fileURLToPath(new URL("postgres_backup.ts", EXAMPLES)), []);
    const output = await asOwner(...argv, join(place, "copy"), "--beside");
    const [, before, after, copy] = /data ([\d.]+) MB before, ([\d.]+) MB after; copy ([\d.]+)/
      .exec(output)!.map(Number);
    return new Map([
      ["sluice, postgres_backup", after! - before! + copy!],
      ...found(output, /^(\w+): .*?(-?[\d.]+) MB more/gm),
    ]);
  } finally {
    await asOwner(...server, "-m", "immediate", "stop");
  }
}
