import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { runtime } from "../../../ffi/mod.ts";
import {
  AlignedBuffer,
  DirectFile,
  type MapOptions,
  MappedFile,
  MappedMemory,
  TruncatedError,
} from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { closing } from "../../_kit/closing.ts";
import { fails, openFds, scoped, withoutLeak } from "../../_kit/fds.ts";
import { pattern, withFile, withFileAsync } from "../../_kit/temp.ts";

const PAGE = sys.pageSize();
const SHORT_ARRAYS = runtime().name === "bun";
const GIB = 2 ** 30;

/** Maps a file of these bytes. */
function withMap(
  bytes: Uint8Array | string,
  options: MapOptions,
  body: (map: MappedFile, path: string) => void,
): void {
  withFile(bytes, (_, path) => {
    const map = closing(MappedFile.open(path, options));
    body(map, path);
  });
}

describe("stores of a copy-on-write mapping", () => {
  const LENGTHS = [[10_000, 15_000], [30_000, 12_000, 20_000], [20_000, 20_000, 20_000, 9000]];
  for (const lengths of LENGTHS) {
    it(`stay when it is resized to ${lengths.join(", ")} without a look at it`, () =>
      withMap(pattern(40_000), { access: "copy-on-write", length: 20_000 }, (map, path) => {
        const expected = pattern(40_000);
        for (const at of [0, 5000, 8999]) expected[at] = map.bytes[at] = 255;
        for (const length of lengths) map.resize(length);
        assert.deepEqual(map.read(0, 9000), expected.slice(0, 9000));
        assert.deepEqual(map.bytes, expected.slice(0, lengths.at(-1)));
        map.resize(17_000);
        assert.deepEqual(map.bytes, expected.slice(0, 17_000));
        assert.deepEqual(new Uint8Array(readFileSync(path)), pattern(40_000));
      }));
  }

  it("of shared memory stay as well", () => {
    const memory = closing(MappedMemory.allocate(20_000));
    const map = closing(MappedMemory.open(memory.fd, { access: "copy-on-write" }));
    map.bytes[7] = 1;
    memory.resize(60_000);
    for (const length of [40_000, 60_000]) map.resize(length);
    assert.deepEqual([map.bytes[7], memory.bytes[7]], [1, 0]);
  });
});

describe("MappedFile.open()", () => {
  it("shows a file by path, URL, descriptor and FileHandle", () =>
    withFileAsync(pattern(10_000), async (_, path) => {
      const handle = await open(path);
      const fd = openSync(path, "r");
      for (const file of [path, pathToFileURL(path), fd, handle]) {
        const map = closing(MappedFile.open(file));
        assert.deepEqual(map.bytes, pattern(10_000));
        assert.deepEqual([map.length, map.offset, map.access], [10_000, 0, "read"]);
      }
      closeSync(fd);
      await handle.close();
    }));

  it("outlives the descriptor that it was given", () =>
    withFile(pattern(10_000), (_, path) => {
      const fd = openSync(path, "r+");
      const map = closing(MappedFile.open(fd, { access: "write" }));
      closeSync(fd);
      map.bytes[0] = 9;
      map.flush();
      assert.equal(readFileSync(path)[0], 9);
      map.resize(20_000);
      assert.equal(statSync(path).size, 20_000);
    }));

  it("says ENODEV of files that are made up as they are read", () => {
    for (
      const path of [
        "/proc/version",
        "/proc/self/status",
        "/sys/kernel/mm/transparent_hugepage/enabled",
      ]
    ) {
      for (const access of ["read", "copy-on-write"] as const) {
        fails("ENODEV", "mmap", () => MappedFile.open(path, { access }));
      }
    }
  });

  it("maps any range", () =>
    withFile(pattern(5 * PAGE), (_, path) => {
      const ranges = [[0, 1], [1, PAGE], [PAGE - 1, 2], [PAGE, PAGE], [3 * PAGE + 7, 2 * PAGE - 7]];
      for (const [offset, length] of [...ranges, [5 * PAGE, 0]] as [number, number][]) {
        const map = closing(MappedFile.open(path, { offset, length }));
        const expected = pattern(5 * PAGE).subarray(offset, offset + length);
        assert.deepEqual(map.bytes, expected);
        assert.deepEqual(map.read(0), expected);
        assert.equal(map.length, length);
      }
    }));

  it("maps an empty file", () => {
    for (const access of ["read", "write", "copy-on-write"] as const) {
      withMap("", { access }, (map) => {
        assert.deepEqual([map.length, map.bytes.length, map.read(0).length], [0, 0, 0]);
        assert.deepEqual(map.residency().fraction, 1);
        map.advise("random");
        map.flush();
        map.dropCache();
        map.lock();
      });
    }
  });

  it("refuses ranges outside the file, and lets it grow for writing", () =>
    withFile(pattern(100), (_, path) => {
      for (const options of [{ offset: 101 }, { length: 101 }, { offset: 50, length: 51 }]) {
        assert.throws(() => MappedFile.open(path, options), RangeError);
      }
      const map = closing(MappedFile.open(path, { access: "write", offset: 50, length: PAGE }));
      assert.equal(statSync(path).size, 50 + PAGE);
      assert.equal(map.bytes[PAGE - 1], 0);
      assert.throws(() => MappedFile.open(path, { access: "write", offset: 2 * PAGE }), RangeError);
    }));

  it("gives a file that was extended for a failed mapping its length back", () =>
    withFile(pattern(100), (_, path) => {
      const options = { access: "write", length: 3 * PAGE, sync: true } as const;
      // Only persistent memory can be mapped with `sync`.
      fails("EOPNOTSUPP", "mmap", () => MappedFile.open(path, options));
      assert.equal(statSync(path).size, 100);
    }));

  it("refuses arguments of the wrong kind, before it opens anything", () => {
    const wrong = (options: object, error: new () => Error) =>
      assert.throws(() => MappedFile.open("/nowhere", options as MapOptions), error);
    wrong({ access: "execute" }, TypeError);
    wrong({ offset: "1" }, TypeError);
    wrong({ offset: -1 }, RangeError);
    wrong({ length: 1.5 }, RangeError);
    wrong({ length: 2 ** 60 }, RangeError);
    wrong({ sync: true }, TypeError);
    for (const file of [undefined, null, true, -1, 1.5, {}, { fd: -1 }, 2 ** 40]) {
      assert.throws(() => MappedFile.open(file as never), TypeError);
    }
  });

  it(
    "throws ENODEV for a socket, a pipe, a device and procfs; EISDIR for a directory",
    scoped((scope) => {
      const [socket] = scope.tcp();
      const [pipe] = scope.pipe();
      for (const file of [socket, pipe, "/dev/zero", "/proc/self/status"]) {
        fails("ENODEV", "mmap", () => MappedFile.open(file));
      }
      fails("EISDIR", "mmap", () => MappedFile.open("/tmp"));
      fails("ENOENT", "open", () => MappedFile.open("/nowhere/at/all"));
      fails("EBADF", "fcntl", () => MappedFile.open(999_999));
    }),
  );

  it("throws EACCES for a descriptor that is not open for it, EOPNOTSUPP for MAP_SYNC", () =>
    withFile(pattern(10), (_, path) =>
      scoped((scope) => {
        const reader = scope.open(path);
        fails("EACCES", "mmap", () => MappedFile.open(reader, { access: "write" }));
        const writer = scope.open(path, sys.OpenFlag.WRONLY);
        fails("EACCES", "mmap", () => MappedFile.open(writer));
        MappedFile.open(reader, { access: "copy-on-write" }).close();
        const options = { access: "write", sync: true } as const;
        fails("EOPNOTSUPP", "mmap", () => MappedFile.open(path, options));
      })()));

  it("leaves no descriptor behind, whether it succeeds or throws", () =>
    withFile(pattern(10), (fd, path) =>
      withoutLeak(() => {
        MappedFile.open(path).close();
        MappedFile.open(fd).close();
        assert.throws(() => MappedFile.open(path, { offset: 11 }));
        assert.throws(() => MappedFile.open(fd, { length: 11 }));
        assert.throws(() => MappedFile.open("/tmp"));
      })));

  it("maps a file beyond 4 GiB, in windows or as a whole", () =>
    withFile("", (_, path) => {
      truncateSync(path, 6 * GIB);
      const map = closing(MappedFile.open(path, { access: "write" }));
      for (const offset of [0, 4 * GIB - 2, 5 * GIB + 1, 6 * GIB - 4]) {
        map.view(offset, 4).set([1, 2, 3, 4]);
        assert.deepEqual([...map.view(offset + 1, 2)], [2, 3]);
        assert.deepEqual([...map.read(offset, 4)], [1, 2, 3, 4]);
      }
      if (SHORT_ARRAYS) {
        assert.throws(() => map.bytes, { name: "RangeError", message: /4 GiB.*view/ });
      } else {
        assert.equal(map.bytes[5 * GIB + 2], 2);
      }
      assert.equal(map.view(GIB / 2, 3 * GIB).length, 3 * GIB);
    }));

  it("maps from an offset beyond 4 GiB", () =>
    withFile("", (fd, path) => {
      truncateSync(path, 6 * GIB);
      sys.pwrite(fd, pattern(10), 5 * GIB + 3);
      const map = closing(MappedFile.open(path, { offset: 5 * GIB + 3, length: 10 }));
      assert.deepEqual(map.bytes, pattern(10));
    }));
});

describe("access", () => {
  it('"read": a stray store reaches nobody, and pages without one follow the file', () =>
    withMap(pattern(3 * PAGE), {}, (map, path) => {
      const { bytes } = map;
      bytes[0] = 99;
      assert.equal(readFileSync(path)[0], 0);
      const other = closing(MappedFile.open(path, { access: "write" }));
      assert.equal(other.bytes[0], 0);
      other.bytes[1] = 98;
      other.bytes[PAGE] = 97;
      assert.deepEqual([bytes[0], bytes[1], bytes[PAGE]], [99, 1, 97]);
      map.dropCache();
      assert.deepEqual([bytes[0], bytes[1]], [0, 98]);
    }));

  it('"write": stores reach the file and every mapping of it', () =>
    withMap(pattern(PAGE), { access: "write" }, (map, path) => {
      const other = closing(MappedFile.open(path));
      map.bytes[5] = 99;
      assert.deepEqual([other.bytes[5], readFileSync(path)[5]], [99, 99]);
    }));

  it('"copy-on-write": stores stay in the mapping', () =>
    withMap(pattern(PAGE), { access: "copy-on-write" }, (map, path) => {
      map.bytes[5] = 99;
      map.flush();
      assert.deepEqual([map.bytes[5], map.read(5, 1)[0], readFileSync(path)[5]], [99, 99, 5]);
      map.dropCache();
      assert.equal(map.bytes[5], 99);
    }));
});

describe("read() and readInto()", () => {
  it("copy a range", () =>
    withMap(pattern(3 * PAGE), { offset: 100 }, (map) => {
      assert.deepEqual(map.read(PAGE, 20), pattern(3 * PAGE).subarray(PAGE + 100, PAGE + 120));
      const target = new Uint8Array(40).fill(255);
      assert.equal(map.readInto(target.subarray(10, 20), 7), 10);
      assert.deepEqual(target.subarray(10, 20), pattern(200).subarray(107, 117));
      assert.deepEqual([target[9], target[20]], [255, 255]);
      assert.equal(map.readInto(new Uint8Array(0), map.length), 0);
    }));

  it("refuse ranges outside the mapping, and other targets", () =>
    withMap(pattern(100), {}, (map) => {
      for (const [offset, length] of [[-1, 1], [0, 101], [100, 1], [0.5, 1], [NaN, 1], [0, -1]]) {
        assert.throws(() => map.read(offset!, length), RangeError);
        assert.throws(() => map.view(offset!, length), RangeError);
      }
      assert.throws(() => map.readInto(new Uint8Array(101)), RangeError);
      assert.throws(() => map.readInto(new ArrayBuffer(1) as never), TypeError);
      assert.throws(() => map.read("0" as never), TypeError);
      assert.throws(() => map.advise("dontneed" as never), TypeError);
      assert.throws(() => map.advise("random", 5 as never), TypeError);
    }));

  it("throw TruncatedError for what the file no longer has, also within its last page", () =>
    withMap(pattern(3 * PAGE), {}, (map, path) => {
      truncateSync(path, PAGE + 100);
      assert.equal(map.read(0, PAGE + 100).length, PAGE + 100);
      for (const offset of [2 * PAGE, PAGE + 50]) {
        assert.throws(() => map.read(offset, 100), (error) => {
          assert.ok(error instanceof TruncatedError);
          assert.equal(error.bytesMoved, Math.max(0, PAGE + 100 - offset));
          assert.equal(error.bytesExpected, 100);
          return true;
        });
      }
      assert.equal(map.truncated, false);
    }));
});

describe("close()", () => {
  it("empties every array, and does nothing the second time", () =>
    withMap(pattern(3 * PAGE), {}, (map) => {
      const { bytes } = map;
      const kept = [bytes, bytes.subarray(5), map.view(PAGE, 10), Buffer.from(bytes.buffer, 0, 5)];
      const data = new DataView(bytes.buffer);
      map.close();
      assert.deepEqual(kept.map((view) => [view.length, view[0]]), kept.map(() => [0, undefined]));
      assert.throws(() => data.getUint8(0), TypeError);
      map.close();
      assert.deepEqual([map.closed, map.length], [true, 0]);
    }));

  it("makes every other call throw TypeError", () =>
    withMap(pattern(10), { access: "write" }, (map) => {
      map.close();
      const calls: ((map: MappedFile) => unknown)[] = [
        (m) => m.bytes,
        (m) => m.view(0),
        (m) => m.read(0),
        (m) => m.readInto(new Uint8Array(0)),
        (m) => m.flush(),
        (m) => m.advise("random"),
        (m) => m.residency(),
        (m) => m.lock(),
        (m) => m.unlock(),
        (m) => m.resize(5),
        (m) => m.protect("read"),
        (m) => m.dropCache(),
      ];
      for (const call of calls) {
        assert.throws(() => call(map), { name: "TypeError", message: /closed/ });
      }
      for (const kind of [MappedFile, MappedMemory, DirectFile, AlignedBuffer]) {
        const construct = kind as unknown as new (...args: unknown[]) => unknown;
        const use = { name: "TypeError", message: /: use \w+\.(open|allocate)\(/ };
        assert.throws(() => new construct("file"), use);
        assert.throws(() => new construct(), use);
      }
    }));

  it("gives nothing back while a buffer that was transferred away shows it", () =>
    withMap(pattern(PAGE), {}, (map) => {
      const taken = new Uint8Array(map.bytes.buffer.transfer());
      assert.deepEqual(map.bytes, pattern(PAGE));
      map.close();
      assert.deepEqual([taken.length, taken[5]], [PAGE, 0]);
      taken[5] = 1;
    }));

  it("unmaps at once what nobody has seen", () =>
    withFile(pattern(PAGE), (_, path) => {
      const before = mappings(path);
      const map = MappedFile.open(path);
      assert.equal(mappings(path), before + 1);
      map.read(0);
      map.close();
      assert.equal(mappings(path), before);
      const fds = openFds();
      const shown = MappedFile.open(path);
      shown.view(0);
      shown.close();
      assert.deepEqual([mappings(path), openFds()], [before, fds]);
    }));
});

function mappings(path: string): number {
  return readFileSync("/proc/self/maps", "utf8").split("\n").filter((l) => l.includes(path)).length;
}
