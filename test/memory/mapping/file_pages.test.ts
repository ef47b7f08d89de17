import assert from "node:assert/strict";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type MapAccess, MappedFile } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { closing } from "../../_kit/closing.ts";
import { fails, openFds } from "../../_kit/fds.ts";
import { pattern, withFile, withFileAsync } from "../../_kit/temp.ts";

const PAGE = sys.pageSize();
const ALL: readonly MapAccess[] = ["read", "write", "copy-on-write"];

describe("flush()", () => {
  it("writes what was stored to the disk, for any range", () =>
    withFile(pattern(4 * PAGE), (fd, path) => {
      sys.fsync(fd);
      const map = closing(MappedFile.open(path, { access: "write", offset: 100 }));
      map.bytes[PAGE] = 99;
      assert.ok(sys.cachestat(fd, 0, 0).dirty > 0);
      map.flush({ offset: PAGE - 1, length: 2 });
      assert.equal(sys.cachestat(fd, 0, 0).dirty, 0);
      map.flush({ length: 0 });
      assert.throws(() => map.flush({ offset: 4 * PAGE }), RangeError);
    }));

  it("writes it in another thread, and lets the mapping be closed meanwhile", () =>
    withFileAsync(pattern(4 * PAGE), async (fd, path) => {
      sys.fsync(fd);
      const map = MappedFile.open(path, { access: "write" });
      map.bytes[PAGE] = 99;
      await map.flush(undefined, { async: true });
      assert.equal(sys.cachestat(fd, 0, 0).dirty, 0);
      map.bytes[PAGE] = 98;
      const pending = map.flush(undefined, { async: true });
      map.close();
      await pending;
      assert.equal(readFileSync(path)[PAGE], 98);
      await assert.rejects(async () => await map.flush(undefined, { async: true }), TypeError);
    }));
});

describe("residency(), prefetch() and dropCache()", () => {
  it("tell of single pages, bring them in and drop them", () =>
    withFileAsync(pattern(64 * PAGE), async (fd, path) => {
      sys.fsync(fd);
      const map = closing(MappedFile.open(path));
      map.advise("random");
      map.dropCache();
      assert.equal(map.residency().fraction, 0);
      assert.equal(map.bytes[8 * PAGE], pattern(8 * PAGE + 1)[8 * PAGE]);
      const { pages, pageSize, fraction } = map.residency();
      assert.deepEqual([pages.length, pageSize, pages[8]], [64, PAGE, 1]);
      assert.ok(fraction > 0 && fraction < 1, String(fraction));
      assert.deepEqual([...map.residency({ offset: 8 * PAGE + 5, length: 1 }).pages], [1]);
      await map.prefetch();
      assert.equal(map.residency().fraction, 1);
      map.dropCache({ offset: 0, length: 32 * PAGE });
      assert.equal(map.residency({ length: 32 * PAGE }).fraction, 0);
      assert.equal(map.residency({ offset: 32 * PAGE }).fraction, 1);
    }));

  it("keep what was stored, and bring no descriptor along", () =>
    withFileAsync(pattern(PAGE), async (_, path) => {
      const map = MappedFile.open(path, { access: "write" });
      map.bytes[5] = 99;
      map.dropCache();
      assert.equal(map.bytes[5], 99);
      const before = openFds();
      const pending = map.prefetch();
      map.close();
      await pending;
      assert.equal(openFds(), before - 1);
    }));
});

describe("lock() and unlock()", () => {
  for (const access of ALL) {
    it(`bring pages in, keep them, and copy none: "${access}"`, () =>
      withFile(pattern(8 * PAGE), (fd, path) => {
        sys.fsync(fd);
        const map = closing(MappedFile.open(path, { access }));
        const { bytes } = map;
        map.dropCache();
        map.lock({ offset: PAGE, length: 2 * PAGE });
        assert.deepEqual([...map.residency({ offset: PAGE, length: 2 * PAGE }).pages], [1, 1]);
        if (access !== "copy-on-write") fails("EINVAL", "madvise", () => map.dropCache());
        // A store through another mapping still shows, unlike in a private copy.
        sys.pwrite(fd, Uint8Array.of(99), PAGE);
        assert.equal(bytes[PAGE], 99);
        map.unlock();
        map.dropCache();
      }));
  }

  it("throw TruncatedError when the file is shorter", () =>
    withFile(pattern(8 * PAGE), (_, path) => {
      const map = closing(MappedFile.open(path));
      truncateSync(path, PAGE);
      assert.throws(() => map.lock(), { name: "TruncatedError" });
    }));
});

describe("advise()", () => {
  it("takes every advice that suits a file", () =>
    withFile(pattern(8 * PAGE), (_, path) => {
      for (const access of ALL) {
        const map = closing(MappedFile.open(path, { access, offset: 5 }));
        for (const advice of ["normal", "random", "sequential", "willneed", "dontdump"] as const) {
          map.advise(advice, { offset: 1, length: PAGE });
          map.advise(advice);
        }
        for (const advice of ["cold", "pageout", "hugepage", "nohugepage"] as const) {
          try {
            map.advise(advice, { length: 1 });
          } catch (error) {
            assert.equal((error as { code: string }).code, "EINVAL");
          }
        }
        assert.equal(map.bytes[0], 5);
      }
    }));
});

describe("protect()", () => {
  it('"read" keeps stores from the file, "write" lets them reach it again', () =>
    withFile(pattern(4 * PAGE), (_, path) => {
      const map = closing(MappedFile.open(path, { access: "write" }));
      const { bytes } = map;
      bytes[PAGE] = 1;
      map.protect("read", { offset: PAGE, length: PAGE });
      bytes[PAGE] = 2;
      bytes[2 * PAGE] = 3;
      assert.deepEqual([readFileSync(path)[PAGE], readFileSync(path)[2 * PAGE]], [1, 3]);
      assert.equal(bytes[PAGE], 2);
      map.flush();
      map.protect("write");
      assert.equal(bytes[PAGE], 1);
      bytes[PAGE] = 4;
      assert.equal(readFileSync(path)[PAGE], 4);
      map.protect("read");
      bytes.fill(255);
      assert.equal(readFileSync(path)[PAGE], 4);
    }));

  it("is for writable mappings, and refuses other protections", () =>
    withFile(pattern(PAGE), (_, path) => {
      const map = closing(MappedFile.open(path, { access: "write" }));
      assert.throws(() => map.protect("none" as "read"), TypeError);
      const reader = closing(MappedFile.open(path));
      assert.throws(() => reader.protect("write"), TypeError);
    }));
});

describe("resize()", () => {
  it("grows and cuts a file that ends with its mapping, and empties the arrays", () =>
    withFile(pattern(3 * PAGE), (_, path) => {
      const map = closing(MappedFile.open(path, { access: "write", offset: 100 }));
      const { bytes } = map;
      bytes[0] = 99;
      map.resize(10 * PAGE);
      assert.deepEqual([bytes.length, map.length], [0, 10 * PAGE]);
      assert.equal(statSync(path).size, 10 * PAGE + 100);
      assert.deepEqual([map.bytes[0], map.bytes[3 * PAGE]], [99, 0]);
      map.bytes[10 * PAGE - 1] = 98;
      map.resize(50);
      assert.equal(statSync(path).size, 150);
      assert.deepEqual([...map.read(0, 2)], [99, 101]);
      map.resize(0);
      assert.deepEqual([statSync(path).size, map.bytes.length], [100, 0]);
      map.resize(PAGE);
      assert.deepEqual([statSync(path).size, map.bytes[0]], [100 + PAGE, 0]);
    }));

  it("leaves what lies behind a mapping alone", () =>
    withFile(pattern(3 * PAGE), (_, path) => {
      const map = closing(MappedFile.open(path, { access: "write", length: PAGE }));
      map.resize(10);
      assert.equal(statSync(path).size, 3 * PAGE);
      map.resize(2 * PAGE);
      assert.deepEqual(readFileSync(path), Buffer.from(pattern(3 * PAGE)));
    }));

  it("follows a file that grew, for reading, and refuses more than it has", () =>
    withFile(pattern(100), (_, path) => {
      const map = closing(MappedFile.open(path));
      writeFileSync(path, pattern(3 * PAGE));
      map.resize(3 * PAGE);
      assert.deepEqual(map.bytes, pattern(3 * PAGE));
      assert.throws(() => map.resize(3 * PAGE + 1), RangeError);
      assert.throws(() => map.resize(-1), RangeError);
      assert.throws(() => map.resize("5" as never), TypeError);
      assert.equal(map.length, 3 * PAGE);
    }));

  it("keeps what a private mapping has stored, also when advice has split it", () =>
    withFile(pattern(64 * PAGE), (_, path) => {
      const map = closing(
        MappedFile.open(path, { access: "copy-on-write", offset: 7, length: 32 * PAGE }),
      );
      map.advise("random", { offset: 5 * PAGE, length: PAGE });
      for (let page = 0; page < 32; page++) map.bytes[page * PAGE] = 200 + page;
      map.resize(50 * PAGE);
      for (let page = 0; page < 32; page++) assert.equal(map.bytes[page * PAGE], 200 + page);
      assert.equal(map.bytes[40 * PAGE], pattern(64 * PAGE)[40 * PAGE + 7]);
      map.resize(3 * PAGE);
      assert.deepEqual([map.bytes[2 * PAGE], map.length], [202, 3 * PAGE]);
      assert.equal(readFileSync(path)[7], 7);
    }));
});
