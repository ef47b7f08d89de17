/**
 * The table of the article that made Java's `transferTo` famous ("Efficient data transfer through
 * zero copy", Palaniappan and Nagarajappa, 2008), with sluice beside Java:
 * `node examples/transfer_to.ts [--max MB] [--rounds N] [--html FILE]`, or with `bun` or
 * `deno run -A`.
 *
 * Sends 7 MB to 1 GB of a file over TCP to another process, in three ways: read and write blocks of
 * 4 KiB, the same with 64 KiB, and zero copy. Real Java does the same if `java` 11 or later is
 * installed. `--html` draws the table. The file is in the page cache, so the disk does not count.
 * Needs foreign calls, and free space for the largest size.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { capabilities } from "../src/mod.ts";
import { type Cost, javaSenders, ownSenders, type Sender } from "./transfer_to/senders.ts";
import { drawTable, printTable, type Row } from "./transfer_to/table.ts";

/** Sizes of the article, in MB of 1,000,000 bytes. */
const SIZES = [7, 21, 63, 98, 200, 350, 700, 1000];
const MB = 1e6;

/** MB to send before the measurement: more than the buffers of a socket hold. */
const WARM_UP = 21;

const HELP = `Usage: transfer_to [options]

  --max MB      largest size to send (default: 1000)
  --rounds N    number of rounds; the table shows medians (default: 3)
  --html FILE   also draw the table, on a page without other files
  --dir DIR     folder for the file to send (default: the one for temporary files)
  --no-java     leave out Java`;

/** The parsed command line. */
interface Settings {
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly html: string | undefined;
  readonly dir: string;
  readonly java: boolean;
}

/** Exit code of the signal that has arrived. */
let interrupted = 0;

try {
  const settings = parse();
  if (settings === null) console.log(HELP);
  else await run(settings);
} catch (error) {
  if (interrupted === 0) console.error((error as Error).message);
  process.exitCode = 1;
}
if (interrupted !== 0) process.exitCode = interrupted;

function parse(): Settings | null {
  try {
    const { values } = parseArgs({
      options: {
        max: { type: "string", default: String(SIZES.at(-1)) },
        rounds: { type: "string", default: "3" },
        html: { type: "string" },
        dir: { type: "string", default: tmpdir() },
        "no-java": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return null;
    const max = Number(values.max);
    const rounds = Number(values.rounds);
    if (!(Number.isInteger(max) && max > 0)) {
      throw new Error(`Cannot send up to "${values.max}" MB`);
    }
    if (!(Number.isInteger(rounds) && rounds > 0)) {
      throw new Error(`Cannot run "${values.rounds}" rounds`);
    }
    const sizes = SIZES.filter((size) => size <= max);
    if (sizes.at(-1) !== max) sizes.push(max);
    return { sizes, rounds, html: values.html, dir: values.dir, java: !values["no-java"] };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

async function run({ sizes, rounds, html, dir, java }: Settings): Promise<void> {
  const { backend } = capabilities();
  if (backend === null) throw new Error("This example needs foreign calls: see sluice doctor");
  process.on("SIGINT", () => interrupted = 130);
  process.on("SIGTERM", () => interrupted = 143);
  // Now and not after the measurement.
  if (html !== undefined) closeSync(openSync(html, "a"));
  const folder = mkdtempSync(join(dir, "sluice-transfer-to-"));
  const ends: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    const path = join(folder, "file");
    fill(path, sizes.at(-1)! * MB);
    const { port, close } = await startReceiver();
    ends.push(close);
    const senders = ownSenders(path, port);
    await warmUp(senders, sizes);
    if (java) senders.push(...await startJava(path, port, sizes, ends));
    const rows = await measure(senders, sizes, rounds);
    printTable(rows);
    if (html !== undefined) writeFileSync(html, drawTable(rows));
  } finally {
    for (const end of ends.reverse()) end();
  }
}

/** Writes bytes, not a hole: holes have no pages that could be sent. */
function fill(path: string, size: number): void {
  const block = Buffer.alloc(1 << 20, "Zero copy moves no byte through the processor. ");
  const fd = openSync(path, "wx");
  try {
    for (let left = size; left > 0;) left -= writeSync(fd, block, 0, Math.min(block.length, left));
  } finally {
    closeSync(fd);
  }
}

async function startReceiver(): Promise<{ port: number; close(): void }> {
  const file = fileURLToPath(new URL("./transfer_to/receiver.ts", import.meta.url));
  const args = "Deno" in globalThis ? ["run", "-A", "--no-check", file] : [file];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const output = createInterface(child.stdout);
  const early = once(child, "exit").then(() => {
    throw new Error("Cannot start the receiver");
  });
  early.catch(() => {});
  const [line] = await Promise.race([once(output, "line"), early]);
  return { port: JSON.parse(line).port, close: () => child.stdin.destroy() };
}

/** Starts the threads and compiles the code that the senders use. */
async function warmUp(senders: readonly Sender[], sizes: readonly number[]): Promise<void> {
  for (const sender of senders) await sender.send(Math.min(WARM_UP, sizes.at(-1)!) * MB);
}

/** Starts Java; returns no senders if there is none. */
async function startJava(
  path: string,
  port: number,
  sizes: readonly number[],
  ends: (() => void)[],
): Promise<Sender[]> {
  const { senders, close } = javaSenders(path, port);
  ends.push(close);
  try {
    await warmUp(senders, sizes);
    return senders;
  } catch (error) {
    console.error(`Without Java: ${(error as Error).message}`);
    return [];
  }
}

/** Runs interleaved rounds, so that a busy moment does not hit one sender alone. */
async function measure(
  senders: readonly Sender[],
  sizes: readonly number[],
  rounds: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) {
    const costs = senders.map((): Cost[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, sender] of senders.entries()) {
        // Lets signals arrive: the loops block this thread.
        await new Promise((resolve) => setImmediate(resolve));
        if (interrupted !== 0) throw new Error("Interrupted");
        costs[i]!.push(await sender.send(size * MB));
      }
    }
    rows.push({
      size,
      cells: senders.map(({ name, who, blockSize }, i) => ({
        name,
        who,
        blockSize,
        wallMs: median(costs[i]!.map(({ wallMs }) => wallMs)),
        cpuMs: median(costs[i]!.map(({ cpuMs }) => cpuMs)),
      })),
    });
  }
  return rows;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
