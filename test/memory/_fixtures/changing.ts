/**
 * Arrays, lists and options whose properties answer something else each time. What the kernel is told
 * must be what was checked: no byte beside an array changes, and none beside it is written to a file.
 *
 * `changing.ts FOLDER SEED ROUNDS`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { AlignedBuffer, capabilities, DirectFile, MappedFile, Pipe } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";

const [folder, seedText = "1", roundsText = "60"] = process.argv.slice(2) as [
  string,
  string,
  string,
];
let state = Number(seedText) >>> 0;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * below);
};
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

const HAS_FFI = capabilities().backend !== null;
const CANARY = 0xa5;
const DATA = 0x11;
const PLACE = 4096;

const path = join(folder, "file");
writeFileSync(path, new Uint8Array(1 << 20).fill(DATA));

/** Answers the truth for a while, and then anything. */
function fickle<T>(truth: T, lies: readonly T[]): () => T {
  let left = random(4);
  return () => left-- > 0 ? truth : pick(lies);
}

const HUGE = [0, 1, 8191, 65_536, 2 ** 26, 2 ** 31, 2 ** 40];

/** Memory with an array in the midst of it, which must be all that changes. */
interface Place {
  readonly array: Uint8Array<ArrayBuffer>;
  intact(): void;
}

const aligned: AlignedBuffer[] = [];

function place(): Place {
  const kind = random(HAS_FFI ? 3 : 2);
  if (kind === 0) {
    const around = Array.from({ length: 24 }, () => new Uint8Array(16).fill(CANARY));
    const array = around[11]!;
    return {
      array: spoofed(array),
      intact: () => around.forEach((each) => each === array || assertCanary(each)),
    };
  }
  if (kind === 1) {
    const all = new Uint8Array(3 * PLACE).fill(CANARY);
    const array = all.subarray(PLACE, 2 * PLACE);
    return {
      array: spoofed(array),
      intact() {
        assertCanary(new Uint8Array(all.buffer, 0, PLACE));
        assertCanary(new Uint8Array(all.buffer, 2 * PLACE));
      },
    };
  }
  if (aligned.length === 0) {
    for (let i = 0; i < 32; i++) aligned.push(AlignedBuffer.allocate(PLACE));
    for (const each of aligned) each.bytes.fill(CANARY);
  }
  const index = 8 + random(8);
  const { buffer } = aligned[index]!.bytes;
  const array = new Uint8Array(buffer);
  return {
    array: spoofed(array),
    intact() {
      aligned.forEach((each, i) => i === index || assertCanary(each.bytes));
      new Uint8Array(buffer).fill(CANARY);
    },
  };
}

function assertCanary(bytes: Uint8Array): void {
  assert.ok(bytes.every((byte) => byte === CANARY), "a neighbour has changed");
}

function spoofed(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const other = new ArrayBuffer(8);
  const lies: Record<string, readonly unknown[]> = {
    length: HUGE,
    byteLength: HUGE,
    byteOffset: HUGE,
    buffer: [other, undefined, "memory"],
    subarray: [() => new Uint8Array(1 << 20), () => "part"],
    slice: [() => new Uint8Array(1 << 20)],
    constructor: [Array, undefined],
  };
  for (const [name, values] of Object.entries(lies)) {
    if (random(3) === 0) continue;
    const truth = Reflect.get(array, name) as unknown;
    const get = fickle(truth, values);
    Object.defineProperty(array, name, { get });
  }
  return array;
}

/** A list whose length and items change. */
function list<T>(items: readonly T[]): readonly T[] {
  const length = fickle(items.length, [0, 1, 7, 1024, 5000]);
  return new Proxy(items, {
    get: (_, name) =>
      name === "length"
        ? length()
        : typeof name === "string" && /^\d+$/.test(name)
        ? pick(items)
        : Reflect.get(items, name) as unknown,
  });
}

/** An object whose numbers change. */
function options(truth: Record<string, unknown>): Record<string, never> {
  const getters = new Map(
    Object.entries(truth).map(([name, value]) => [
      name,
      fickle(value, typeof value === "number" ? [...HUGE, -1, Number.NaN] : [undefined, value]),
    ]),
  );
  return new Proxy({}, {
    get: (_, name) => getters.get(String(name))?.(),
    has: (_, name) => getters.has(String(name)),
  }) as Record<string, never>;
}

const { raw } = sys;
const fd = openSync(path, "r+");
const out = join(folder, "out");

/** The written bytes must come from the array. */
function onlyFrom(real: number, write: (to: number) => unknown): void {
  const to = openSync(out, "w");
  try {
    write(to);
  } catch (error) {
    assertExpected(error);
  } finally {
    closeSync(to);
  }
  assert.ok(readFileSync(out).length <= real, "more was written than the array has");
}

const WAYS: Record<string, (given: Place) => unknown> = {
  direct: async ({ array }) => {
    await using file = await DirectFile.open(path, options({ access: "write", mode: "auto" }));
    await file.read(array, 4096 * random(4)).catch(assertExpected);
    await file.write(array, 0).catch(assertExpected);
    await file.append(array).catch(assertExpected);
    await file.truncate(1 << 20);
    const writer = file.writable(options({ start: 0, depth: 2, blockSize: 4096 })).getWriter();
    await writer.write(array).then(() => writer.close(), assertExpected);
    for await (const _ of file.readable(options({ depth: 2, blockSize: 4096, length: 9000 })));
  },
  mapped({ array }) {
    using map = MappedFile.open(path, options({ access: "read", offset: 4096, length: 8192 }));
    map.readInto(array, 3);
    map.residency(options({ offset: 0, length: 4096 }));
    map.lock(options({ offset: 0, length: 4096 }));
    map.unlock(options({ offset: 0, length: 4096 }));
    map.flush(options({ offset: 0, length: 4096 }));
  },
  read: ({ array }) => sys.read(fd, array),
  pread: ({ array }) => sys.pread(fd, array, 10),
  preadv: ({ array }) => sys.preadv2(fd, array, 10),
  preadvList: ({ array }) => sys.preadv2(fd, list([array, new Uint8Array(32)]), 10),
  rawRead: ({ array }) => raw.pread(fd, array, 10),
  rawList: ({ array }) => raw.preadv2(fd, list([array, new Uint8Array(32)]), 10, 0),
  rawSame({ array }) {
    for (let i = 0; i < 3; i++) raw.preadv2(fd, array, 10, 0);
  },
  write({ array }) {
    const real = raw.pread(fd, array, 0);
    onlyFrom(real, (to) => sys.write(to, array));
    onlyFrom(real, (to) => raw.pwrite(to, array, 0));
    onlyFrom(real, (to) => sys.pwritev2(to, array, 0));
    onlyFrom(5000 * (real + 32), (to) => sys.pwritev2(to, list([array, new Uint8Array(32)]), 0));
  },
  sockets({ array }) {
    const [a, b] = sys.socketpair(sys.AddressFamily.UNIX, sys.SocketType.STREAM);
    try {
      raw.send(a, new Uint8Array(1 << 16), sys.MessageFlag.DONTWAIT);
      raw.recv(b, array, sys.MessageFlag.DONTWAIT);
      raw.getsockname(a, array);
      raw.getpeername(a, array);
      raw.bind(a, array);
      raw.setsockoptBytes(a, 1, 2, array);
      raw.getsockoptBytes(a, 1, 3, array);
    } finally {
      sys.close(a);
      sys.close(b);
    }
  },
  structures({ array }) {
    const few = new Int32Array(new ArrayBuffer(4));
    Object.defineProperty(few, "byteOffset", { get: fickle(0, HUGE) });
    if (raw.pipe2(few, 0) === 0) sys.close(few[0]!);
    raw.cachestat(fd, 0, 4096, new BigUint64Array(1));
    raw.getrlimit(7, new BigUint64Array(1));
    raw.pollArray(array.subarray(0, 0), 0);
    const ring = raw.ioUringSetup(1, array);
    if (ring >= 0) sys.close(ring);
    const events = new raw.EventList(1);
    Reflect.set(events, "capacity", 1 << 20);
    const set = raw.epollCreate1(0);
    raw.epollCtl(set, sys.EpollOp.ADD, set, 0);
    events.wait(set, 0);
    sys.close(set);
    sys.poll(list([{ fd, events: 1 }]), 0);
  },
  regions({ array }) {
    const flags = sys.MapFlag.PRIVATE | sys.MapFlag.ANONYMOUS;
    const [first, , third] = [0, 1, 2].map(() => sys.mmap(4096, 3, flags, null)) as [
      sys.Region,
      sys.Region,
      sys.Region,
    ];
    for (const each of [first, third]) {
      Object.defineProperty(each, "length", { get: fickle(4096, [4096 * 64, 2 ** 30]) });
    }
    raw.mincore(first, 0, 4096, array);
    using pipe = new Pipe(options({ capacity: 65_536 }));
    pipe.share(list([{ region: first }, { region: third, offset: 8 }]));
    raw.vmsplice(pipe.writeFd, list([{ region: first }]), sys.SpliceFlag.NONBLOCK);
    const larger = sys.mremap(first, 8192, sys.RemapFlag.MAYMOVE);
    sys.munmap(larger);
    sys.munmap(third);
    assert.ok(third.closed);
    const memory = sys.posixMemalign(64, 256);
    Object.defineProperty(memory, "closed", { get: () => random(2) === 0 });
    sys.free(memory);
    sys.free(memory);
  },
};

/** Whatever is refused is refused by one of these. */
function assertExpected(error: unknown): void {
  const ok = error instanceof TypeError || error instanceof RangeError ||
    (error as Error).name === "SyscallError" || (error as Error).name === "AbortError";
  if (!ok) throw error;
}

for (let round = 0; round < Number(roundsText); round++) {
  for (const [way, act] of Object.entries(WAYS)) {
    if (!HAS_FFI && way !== "direct") continue;
    const given = place();
    try {
      await act(given);
    } catch (error) {
      assertExpected(error);
    }
    try {
      given.intact();
    } catch (error) {
      throw new Error(`${way}, round ${round}, seed ${seedText}`, { cause: error });
    }
  }
  (globalThis as { gc?: () => void }).gc?.();
}
closeSync(fd);
console.log("alive");
