/**
 * Searches and adds up a file that is larger than the heap may become, beside `grep -c` and
 * streams:
 *
 *     node --max-old-space-size=64 examples/map_large.ts [TEXT [FILE]] [--size MB]
 *     deno run -A --v8-flags=--max-old-space-size=64 examples/map_large.ts
 *     bun --smol examples/map_large.ts
 *
 * Counts the lines that contain TEXT, and adds the bytes up as numbers of 32 bits. The mapped file
 * is searched where it lies in the page cache; a stream copies each piece into a buffer first. The
 * last column is the memory that the runtime has of its own. Without FILE, the example makes one of
 * 1000 MB and deletes it afterwards.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text as textOf } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { getHeapStatistics } from "node:v8";
import { MappedFile } from "../src/mod.ts";
import { Adder, LineCounter } from "./map_large/scan.ts";

const USAGE = `Usage: map_large [TEXT [FILE]] [--size MB]

  TEXT        what to search for (default: ERROR)
  FILE        where to search (default: a log that is made and deleted)
  --size MB   size of that log (default: 1000)`;
const MB = 1e6;
/** Bytes of the mapping to look at between two looks at signals. */
const WINDOW = 1 << 26;

/** What a pass over the file found, and what it took. */
interface Pass {
  readonly result: string;
  readonly bytes: number;
  readonly seconds: number;
  readonly ownBytes: number;
}

/** Exit code of the signal that has arrived. */
let interrupted = 0;

const { text, file, size } = parse();
process.on("SIGINT", () => interrupted = 130);
process.on("SIGTERM", () => interrupted = 143);
const folder = file === undefined ? mkdtempSync(join(tmpdir(), "sluice-map-large-")) : undefined;
try {
  const path = file ?? join(folder!, "log");
  if (file === undefined) makeLog(path, size * MB);
  await compare(path, text);
} catch (error) {
  if (interrupted === 0) console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}
if (interrupted !== 0) process.exitCode = interrupted;

function parse(): { text: string; file: string | undefined; size: number } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        size: { type: "string", default: "1000" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const [text = "ERROR", file, ...others] = positionals;
    const size = Number(values.size);
    if (others.length > 0) throw new Error("Too many arguments");
    if (!(Number.isInteger(size) && size > 0)) throw new Error(`No size: "${values.size}"`);
    new LineCounter(text); // refuses what cannot be looked for
    return { text, file, size };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

/** Writes a log with an error in each hundredth line. */
function makeLog(path: string, size: number): void {
  const lines = Array.from({ length: 10_000 }, (_, i) => {
    const level = i % 100 === 99 ? "ERROR" : "INFO";
    return `2008-09-02T12:00:00 ${level} request ${i} took ${(i * 7919) % 1000} ms\n`;
  });
  const block = Buffer.from(lines.join(""));
  const fd = openSync(path, "wx");
  try {
    for (let left = size; left > 0;) left -= writeSync(fd, block, 0, Math.min(block.length, left));
  } finally {
    closeSync(fd);
  }
}

async function compare(path: string, text: string): Promise<void> {
  // Brings the file into the page cache first, so that the order of the rows does not matter.
  const { bytes } = await sum(mapped(path));
  console.log(`${bytes} bytes, and a heap of at most ${heapLimit()}`);
  const row = (...cells: string[]) =>
    console.log(cells.map((cell, i) => i === 0 ? cell.padEnd(8) : cell.padStart(12)).join(""));
  row("", "lines", "search GB/s", "sum GB/s", "own memory");
  const speed = (seconds: number) => (bytes / 1e9 / seconds).toFixed(2);
  const results = new Set<string>();
  for (const [name, open] of Object.entries({ mapped, streams: streamOf })) {
    const search = await count(open(path), text);
    const addition = await sum(open(path));
    const own = Math.max(search.ownBytes, addition.ownBytes) / MB;
    const speeds = [search, addition].map(({ seconds }) => speed(seconds));
    row(name, search.result, ...speeds, `${own.toFixed(0)} MB`);
    results.add(`${search.result} lines, and the sum ${addition.result}`);
  }
  for (const program of ["grep", "rg"]) {
    const found = await runProgram(program, text, path);
    if (found !== undefined) row(program, found.lines, speed(found.seconds), "-", "-");
  }
  for (const result of results) console.log(result);
  if (results.size > 1) throw new Error("The results differ: did the file change meanwhile?");
}

/** Yields the mapped file in windows. Pages come from the page cache, and go back there. */
function* mapped(path: string): Generator<Buffer> {
  const map = MappedFile.open(path);
  try {
    map.advise("sequential");
    for (let from = 0; from < map.length; from += WINDOW) {
      const { buffer, byteOffset, length } = map.view(from, Math.min(WINDOW, map.length - from));
      // The same memory as a Buffer, because a Uint8Array cannot search for several bytes.
      yield Buffer.from(buffer, byteOffset, length);
    }
  } finally {
    map.close();
  }
}

function streamOf(path: string): AsyncIterable<Buffer> {
  return createReadStream(path);
}

type Pieces = Iterable<Buffer> | AsyncIterable<Buffer>;

async function count(pieces: Pieces, text: string): Promise<Pass> {
  const counter = new LineCounter(text);
  const pass = await feed(pieces, (piece) => counter.push(piece));
  return { ...pass, result: String(counter.count) };
}

async function sum(pieces: Pieces): Promise<Pass> {
  const adder = new Adder();
  const pass = await feed(pieces, (piece) => adder.push(piece));
  return { ...pass, result: String(adder.sum) };
}

async function feed(pieces: Pieces, push: (piece: Buffer) => void): Promise<Omit<Pass, "result">> {
  const startMs = performance.now();
  let bytes = 0;
  let ownBytes = ownMemory();
  let nextLook = WINDOW;
  for await (const piece of pieces) {
    push(piece);
    bytes += piece.length;
    if (bytes < nextLook) continue;
    nextLook += WINDOW;
    ownBytes = Math.max(ownBytes, ownMemory());
    await new Promise((resolve) => setImmediate(resolve));
    if (interrupted !== 0) throw new Error("Interrupted");
  }
  return { bytes, ownBytes, seconds: (performance.now() - startMs) / 1e3 };
}

/** Runs `grep -c` or `rg -c`; returns `undefined` if it is not installed. */
async function runProgram(
  name: string,
  text: string,
  path: string,
): Promise<{ lines: string; seconds: number } | undefined> {
  const startMs = performance.now();
  const child = spawn(name, ["-c", "-a", "-F", "-e", text, "--", path], {
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(child, "spawn");
  } catch {
    return undefined;
  }
  const lines = (await textOf(child.stdout)).trim() || "0";
  return { lines, seconds: (performance.now() - startMs) / 1e3 };
}

/** Memory of this process that is no file, in bytes. */
function ownMemory(): number {
  const status = readFileSync("/proc/self/status", "latin1");
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN) * 1024;
}

/** The limit of V8's heap; Bun has none. */
function heapLimit(): string {
  if ("Bun" in globalThis) return "any size";
  return `${(getHeapStatistics().heap_size_limit / 2 ** 20).toFixed(0)} MiB`;
}
