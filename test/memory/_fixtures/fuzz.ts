/**
 * Random sequences of everything that a program can do to mappings, `fuzz.ts SEQUENCES [SEED]`. Prints
 * "survived N"; whatever goes wrong but the errors that are documented, or a signal, is a failure.
 *
 * @module
 */

import fc from "fast-check";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, write, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { deflateRaw } from "node:zlib";
import { MappedFile, MappedMemory, type Mapping } from "../../../src/mod.ts";

const PAGE = 4096;
const MOST = 12 * PAGE;
const ACCESS = ["read", "write", "copy-on-write"] as const;
const ADVICE = ["normal", "random", "sequential", "willneed", "cold", "nohugepage"] as const;
const EXPECTED = [
  "SyscallError",
  "TypeError",
  "RangeError",
  "TruncatedError",
  "UnsupportedError",
  "DataCloneError",
];

const { gc, Bun } = globalThis as unknown as { gc?: () => void; Bun?: { gc(force: true): void } };
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");
const sink = openSync("/dev/null", "w");

// Operations whose input is taken away may say so later, each runtime in its own way.
process.on("uncaughtException", () => {});
process.on("unhandledRejection", () => {});

/** State of a sequence. */
interface World {
  readonly fd: number;
  readonly maps: Mapping[];
  readonly views: Uint8Array<ArrayBuffer>[];
}

type Step = readonly [action: string, which: number, a: number, b: number];

const ACTIONS: Record<string, (world: World, which: number, a: number, b: number) => unknown> = {
  open({ maps }, which, a, b) {
    const access = ACCESS[which % 3]!;
    maps.push(MappedFile.open(path, b % 2 === 0 ? { access } : { access, offset: a, length: b }));
  },
  openDescriptor({ maps, fd }, which) {
    maps.push(MappedFile.open(fd, { access: ACCESS[which % 3]! }));
  },
  allocate({ maps }, which, a) {
    maps.push(MappedMemory.allocate(a, { shared: which % 2 === 0 }));
  },
  show: ({ maps, views }, which, a, b) => views.push(pick(maps, which).view(a, b)),
  bytes: ({ maps, views }, which) => views.push(pick(maps, which).bytes),
  load({ views }, which) {
    let sum = 0;
    for (const byte of pick(views, which)) sum += byte;
    return sum;
  },
  store: ({ views }, which, a) => pick(views, which).fill(a & 255),
  poke: ({ views }, which, a) => pick(views, which)[a] = 1,
  copy: ({ views }, which, a) => pick(views, which).set(pick(views, a)),
  read: ({ maps }, which, a, b) => pick(maps, which).read(a, b),
  readInto: ({ maps, views }, which, a, b) => pick(maps, which).readInto(pick(views, a), b),
  cut: ({ fd }, _, a) => ftruncateSync(fd, a),
  empty: ({ fd }) => ftruncateSync(fd, 0),
  fill: ({ fd }) => writeSync(fd, new Uint8Array(MOST).fill(9), 0, MOST, 0),
  close: ({ maps }, which) => pick(maps, which).close(),
  forget: ({ views }, which) => views.splice(which % 3, 1),
  resize({ maps }, which, a) {
    (pick(maps, which) as MappedFile).resize(a);
  },
  flush: ({ maps }, which, a, b) => file(maps, which).flush({ offset: a, length: b }),
  flushLater: ({ maps }, which) => file(maps, which).flush(undefined, { async: true }),
  prefetch: ({ maps }, which, a) => file(maps, which).prefetch({ offset: a }),
  protect: ({ maps }, which, a) => file(maps, which).protect(a % 2 === 0 ? "read" : "write"),
  dropCache: ({ maps }, which) => file(maps, which).dropCache(),
  advise: ({ maps }, which, a) => pick(maps, which).advise(ADVICE[a % 6]!, { offset: a }),
  residency: ({ maps }, which, a) => pick(maps, which).residency({ offset: a }).fraction,
  lock: ({ maps }, which, a) => pick(maps, which).lock({ offset: a }),
  unlock: ({ maps }, which) => pick(maps, which).unlock(),
  transfer: ({ views }, which) => views.push(new Uint8Array(pick(views, which).buffer.transfer())),
  clone: ({ views }, which) => structuredClone(pick(views, which)),
  compress: ({ views }, which) => deflateRaw(pick(views, which), () => {}),
  write: ({ views }, which) => write(sink, pick(views, which), () => {}),
  collect: () => Bun === undefined ? gc?.() : Bun.gc(true),
};

function pick<T>(list: readonly T[], which: number): T {
  const item = list[which % Math.max(1, list.length)];
  if (item === undefined) throw new RangeError("nothing there");
  return item;
}

function file(maps: readonly Mapping[], which: number): MappedFile {
  const map = pick(maps, which);
  if (!(map instanceof MappedFile)) throw new TypeError("no file");
  return map;
}

function expected(error: unknown): void {
  const { name, message } = error as Error;
  if (!EXPECTED.includes(name)) {
    throw new Error(`unexpected: ${name}: ${message}`, { cause: error });
  }
}

async function run(steps: readonly Step[]): Promise<void> {
  const fd = openSync(path, "w+");
  writeSync(fd, new Uint8Array(MOST).fill(7));
  const world: World = { fd, maps: [], views: [] };
  const pending: Promise<unknown>[] = [];
  for (const [action, which, a, b] of steps) {
    try {
      const result = ACTIONS[action]!(world, which, a, b);
      if (result instanceof Promise) pending.push(result.catch(expected));
    } catch (error) {
      expected(error);
    }
  }
  for (const map of world.maps) {
    try {
      map.close();
    } catch (error) {
      expected(error);
    }
    if (!map.closed) throw new Error("still open");
  }
  // Kept views show nothing, or zeroes, and take stores.
  for (const view of world.views) {
    try {
      view.fill(1);
    } catch (error) {
      expected(error);
    }
  }
  await Promise.all(pending);
  closeSync(fd);
}

const size = fc.oneof(
  fc.nat(MOST),
  fc.constantFrom(0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, MOST, -1, 0.5, 2 ** 53),
);
const step: fc.Arbitrary<Step> = fc.tuple(
  // Operations that create maps and views, twice as often.
  fc.constantFrom(...Object.keys(ACTIONS), "open", "bytes", "show", "load", "store", "open"),
  fc.nat(5),
  size,
  size,
);

const numRuns = Number(process.argv[2]);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
writeSync(1, `seed ${seed}\n`);
let done = 0;
const property = fc.asyncProperty(
  fc.array(step, { minLength: 3, maxLength: 30 }),
  async (steps) => {
    await run(steps);
    done++;
  },
);
const { counterexample, errorInstance, failed } = await fc.check(property, { numRuns, seed });
if (failed) writeSync(2, `${JSON.stringify(counterexample)}\n`);
rmSync(folder, { recursive: true });
writeSync(1, failed ? `${(errorInstance as Error)?.stack}\n` : `survived ${done}\n`);
process.exit(failed ? 1 : 0);
