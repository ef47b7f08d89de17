/**
 * `examples/log_broker`: records produced by kcat, and fetched by a C client that only counts them;
 * the CPU time of a Fetch beside a C program that answers it by sendfile(2), and beside one that sends
 * the file unasked; and what three consumers read from the disk.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Context } from "../context.ts";
import { commandFor, type RuntimeName } from "../environment.ts";
import { drop } from "../measure/page_cache.ts";
import { cpuSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { freePort } from "../nginx.ts";
import { compilePeer } from "../peers.ts";
import { CLIENT_PREFIX, PINNING, run, type Server, startServerOn } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";

const MAIN = fileURLToPath(new URL("../../examples/log_broker/main.ts", import.meta.url));
const RECORDS = 2_000_000;
const RECORD_BYTES = 100;
/** Passes over the log in each round: CPU times have a resolution of 10 ms. */
const PASSES = 10;
const CLIENT = 1;

interface Counted {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  /** What the client itself has spent. */
  readonly cpu: number;
}

/** CPU seconds per GB. */
interface Spent {
  readonly server: number;
  readonly both: number;
}

interface Measured {
  readonly runtime: RuntimeName;
  readonly broker: Server;
  readonly log: string;
  readonly produced: number;
  readonly fetched: number[];
  readonly spent: Spent[];
  /** By a C program that answers the same requests, and by one that sends the file unasked. */
  readonly inC: Spent[];
  readonly plain: Spent[];
  readonly consumed: number[];
  /** Bytes read from the disk by one and by three consumers, as shares of the log. */
  readonly disk: number[];
}

/** Runs the benchmark. */
export async function log(context: Context): Promise<Report> {
  const { workspace, runtimes, rounds, note } = context;
  const client = compilePeer(workspace, "kafka_fetch");
  if (client === undefined) throw new Error("Cannot measure the log without a C compiler");
  const input = join(workspace.files, "records");
  writeFileSync(input, Array.from({ length: RECORDS }, line).join(""));
  const all: Measured[] = [];
  for (const runtime of runtimes) all.push(await prepare(context, runtime, input));
  for (let round = 1; round <= rounds; round++) {
    for (const each of all) {
      const fetch = (port: number) => [client, "fetch", String(port), "records", String(PASSES)];
      const ours = await timed(each.broker, fetch(each.broker.port));
      each.fetched.push(ours.records / ours.seconds);
      each.spent.push(ours.spent);
      const drain = (port: number) => [client, "drain", String(port), String(PASSES)];
      each.inC.push(await spentInC([client, "answer"], each.log, fetch));
      each.plain.push(await spentInC([client, "serve"], each.log, drain));
      each.consumed.push(await consume(each));
      note(`round ${round}, ${each.runtime}: ${number(ours.records / ours.seconds / 1e6)} M/s`);
    }
  }
  for (const each of all) {
    for (const consumers of [1, 3]) {
      await drop(each.log);
      const before = diskReads(each.broker.pid);
      const fetch = [client, "fetch", String(each.broker.port), "records", "1"];
      await Promise.all(Array.from({ length: consumers }, () => run({ argv: fetch }, CLIENT)));
      each.disk.push((diskReads(each.broker.pid) - before) / statSync(each.log).size);
    }
    await each.broker.stop();
  }
  return report(all, rounds);
}

function line(_: unknown, i: number): string {
  return `${String(i).padStart(RECORD_BYTES, "0")}\n`;
}

/** Starts a broker, and fills its log by kcat. */
async function prepare(
  { workspace, note }: Context,
  runtime: RuntimeName,
  input: string,
): Promise<Measured> {
  const folder = join(workspace.files, `log-${runtime}`);
  const port = await freePort();
  const args = ["--port", String(port), "--dir", folder, "--segment-bytes", String(2 ** 30)];
  const broker = await startServerOn(port, commandFor(runtime, MAIN, args));
  const queue = ["-X", `queue.buffering.max.messages=${RECORDS}`, "-X", "batch.num.messages=10000"];
  const started = performance.now();
  await kcat(port, ["-P", "-t", "records", ...queue, "-l", input]);
  const produced = RECORDS / (performance.now() - started) * 1000;
  note(`${runtime}: ${number(produced / 1e6)} M/s produced`);
  const log = join(folder, "topics/records/0/00000000000000000000.log");
  const [fetched, spent, inC, plain, consumed, disk] = [[], [], [], [], [], []];
  return { runtime, broker, log, produced, fetched, spent, inC, plain, consumed, disk };
}

/** What a server in C spends for one client. */
async function spentInC(
  program: readonly string[],
  log: string,
  reader: (port: number) => string[],
): Promise<Spent> {
  const port = await freePort();
  const server = await startServerOn(port, { argv: [...program, String(port), log] });
  const { spent } = await timed(server, reader(port));
  await server.stop();
  return spent;
}

/** Runs a client, and counts what the server and both spend. */
async function timed(server: Server, argv: string[]): Promise<Counted & { spent: Spent }> {
  const before = cpuSeconds(server.pid);
  const counted = await run<Counted>({ argv }, CLIENT);
  const [gigabytes, cpu] = [counted.bytes / 1e9, cpuSeconds(server.pid) - before];
  return { ...counted, spent: { server: cpu / gigabytes, both: (cpu + counted.cpu) / gigabytes } };
}

/** Records per second that kcat itself consumes. */
async function consume({ broker }: Measured): Promise<number> {
  const started = performance.now();
  await kcat(broker.port, ["-q", "-C", "-e", "-o", "beginning", "-t", "records"]);
  return RECORDS / (performance.now() - started) * 1000;
}

async function kcat(port: number, args: readonly string[]): Promise<void> {
  const [file, ...prefixed] = [...CLIENT_PREFIX, "kcat", "-b", `127.0.0.1:${port}`, ...args];
  const child = spawn(file!, prefixed, { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`kcat ended with ${code}`);
}

/** Bytes that a process has had read from the disk. */
function diskReads(pid: number): number {
  return Number(/^read_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"))![1]);
}

function report(all: readonly Measured[], rounds: number): Report {
  const millions = (values: readonly number[]) => spread(summarize(values.map((n) => n / 1e6)));
  return {
    title: `log: ${RECORDS / 1e6} million records of ${RECORD_BYTES} bytes over loopback`,
    method: [
      `kcat produces them once, in batches of up to 10,000, and consumes them in each round; it may be the bottleneck.`,
      `A C client fetches them ${PASSES} times in each of ${rounds} interleaved rounds. It reads the headers of the batches only.`,
      `In C: a program that answers the same requests with as many bytes by sendfile(2), and does nothing else.`,
      `Plain: the same file by sendfile(2) in C, unasked, to a client that receives as much at once. The kernel then charges much of the sending to the client, so CPU times of both ends are compared, too. ${PINNING}.`,
      `Disk: bytes that the broker's process has had read from the disk, by one consumer and by three at once, over the size of the log.`,
    ],
    columns: [
      ...["runtime", "M/s produced", "M/s fetched", "M/s by kcat"],
      ...["CPU-s/GB", "in C", "plain", "both ends", "both, plain", "disk, 1", "disk, 3"],
    ],
    rows: all.map((each) => [
      each.runtime,
      number(each.produced / 1e6),
      millions(each.fetched),
      millions(each.consumed),
      ...[each.spent, each.inC, each.plain].map((all) =>
        spread(summarize(all.map(({ server }) => server)))
      ),
      ...[each.spent, each.plain].map((all) => spread(summarize(all.map(({ both }) => both)))),
      ...each.disk.map(number),
    ]),
    bars: all.flatMap(bars),
    samples: all.map(({ broker: _, log: __, ...figures }) => figures),
  };
}

function bars(each: Measured): Bar[] {
  const bar = (what: string, value: readonly number[], limit: number, wanted: Bar["wanted"]) => {
    return { subject: each.runtime, what, value: summarize(value), limit, wanted };
  };
  const against = (peers: readonly Spent[], what: keyof Spent) =>
    ratios(each.spent.map((one) => one[what]), peers.map((one) => one[what]));
  return [
    bar("records/s produced", [each.produced], 500_000, "at least"),
    bar("records/s fetched", each.fetched, 1_000_000, "at least"),
    bar("records/s by kcat", each.consumed, 1_000_000, "at least"),
    { ...bar("CPU / sendfile in C", [0], 1.3, "at most"), value: against(each.inC, "server") },
    { ...bar("CPU / plain", [0], 1.3, "at most"), value: against(each.plain, "server") },
    { ...bar("both ends / plain", [0], 1.3, "at most"), value: against(each.plain, "both") },
    bar("disk reads, 3 consumers / 1", [each.disk[1]! / each.disk[0]!], 1.05, "at most"),
  ];
}
