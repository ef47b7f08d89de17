import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { copyFile, type CopyOptions, SyscallError } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { dropFromCache } from "../../_kit/page_cache.ts";

const folder = new Folder();
after(() => folder.remove());

const MIB = 1024 * 1024;
const METHODS = ["auto", "range", "sendfile", "splice", "direct", "mmap", "copy"] as const;
let sequence = 0;
const fresh = () => join(folder.path, `target-${sequence++}`);

/** Bytes of a file that are in the page cache, or `-errno`. */
function cachedBytes(path: string): number {
  const counts = new BigUint64Array(5);
  const fd = sys.open(path, sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC);
  const result = sys.raw.cachestat(fd, 0, 0, counts);
  sys.close(fd);
  return result < 0 ? result : Number(counts[0]) * sys.pageSize();
}

const probe = folder.file("x");
const NO_CACHESTAT = cachedBytes(probe) < 0 ? "cachestat(2) came with Linux 6.5" : false;
const READS_WITHOUT_CACHING = readsWithoutCaching();
/** Where these reads exist, cachestat(2) and O_DIRECT do, too. */
const NO_DONTCACHE = !READS_WITHOUT_CACHING && "RWF_DONTCACHE came with Linux 6.14";

const HAS_UNNAMED = hasUnnamed();

function hasUnnamed(): boolean {
  const fd = sys.raw.open(folder.path, sys.OpenFlag.TMPFILE | sys.OpenFlag.WRONLY, 0o600);
  if (fd >= 0) sys.close(fd);
  return fd >= 0;
}

function readsWithoutCaching(): boolean {
  const fd = sys.open(probe, sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC);
  const result = sys.raw.preadv2(fd, new Uint8Array(1), 0, sys.ReadFlag.DONTCACHE);
  sys.close(fd);
  return result === 1;
}

/** Files in the folder other than finished copies. */
function leftovers(): string[] {
  return readdirSync(folder.path).filter((name) => name.endsWith(".sluice"));
}

async function failsWith(code: string, task: Promise<unknown>): Promise<Error> {
  const error = await task.then(() => assert.fail("it succeeded"), (error) => error);
  assert.equal(error.code, code, error.stack);
  assert.deepEqual(leftovers(), []);
  return error;
}

describeWithoutLeaks("copyFile()", {
  warmUp: () => copyFile(folder.file(noise(3 * MIB)), fresh()),
}, () => {
  for (const method of METHODS) {
    it(`copies every size by method "${method}"`, async () => {
      for (const size of [0, 1, 511, 4095, 4096, 4097, 65536, 262145, MIB, 5 * MIB + 13]) {
        const bytes = noise(size, size % 200);
        const target = fresh();
        const report = await copyFile(folder.file(bytes), target, { method });
        assert.ok(readFileSync(target).equals(bytes), `${size} bytes`);
        assert.equal(report.bytes, size);
        if (method !== "auto" && size > 0) assert.equal(report.method, method);
        assert.deepEqual(report.methods.length > 0, size > 0);
        assert.ok(report.durationMs >= 0);
      }
    });

    it(`keeps holes by method "${method}"`, async () => {
      const source = folder.file("");
      const fd = openSync(source, "r+");
      for (const at of [0, 3 * MIB, 3 * MIB + 8192, 7 * MIB]) {
        writeSync(fd, noise(5000), 0, 5000, at);
      }
      closeSync(fd);
      truncateSync(source, 64 * MIB);
      const target = fresh();
      const { bytes } = await copyFile(source, target, { method });
      assert.ok(readFileSync(target).equals(readFileSync(source)));
      assert.equal(statSync(target).size, 64 * MIB);
      assert.ok(statSync(target).blocks <= statSync(source).blocks + 64, "the holes were filled");
      assert.ok(bytes >= 20_000 && bytes < MIB, `${bytes} bytes`);
    });
  }

  it("copies a file that is one hole", async () => {
    const source = folder.file("");
    truncateSync(source, 10 * MIB + 1);
    const target = fresh();
    const { bytes, method } = await copyFile(source, target);
    assert.deepEqual([bytes, method], [0, "none"]);
    assert.deepEqual([statSync(target).size, statSync(target).blocks], [10 * MIB + 1, 0]);
  });

  it("copies files that are made up when they are read", async () => {
    const target = fresh();
    const { bytes } = await copyFile("/proc/cpuinfo", target);
    assert.ok(bytes > 0);
    assert.equal(statSync(target).size, bytes);
    assert.match(readFileSync(target, "utf8"), /processor/);
  });

  it("takes file: URLs", async () => {
    const target = fresh();
    await copyFile(pathToFileURL(folder.file("text")), pathToFileURL(target));
    assert.equal(readFileSync(target, "utf8"), "text");
  });

  it("says when blocks cannot be shared, and shares them when it may choose", async () => {
    const source = folder.file(noise(MIB));
    const target = fresh();
    const reflink = copyFile(source, target, { method: "reflink" });
    const { method } = await reflink.catch((error) => {
      assert.match(error.code, /EOPNOTSUPP|EINVAL|EXDEV|ENOTTY/);
      assert.equal(existsSync(target), false);
      return copyFile(source, target);
    });
    assert.notEqual(method, "none");
    assert.ok(readFileSync(target).equals(readFileSync(source)));
  });

  it("gives the target the permissions of the source, or those of any new file", async () => {
    const source = folder.file("x");
    chmodSync(source, 0o741);
    const [same, usual] = [fresh(), fresh()];
    await copyFile(source, same);
    assert.equal(statSync(same).mode & 0o777, 0o741);
    await copyFile(source, usual, { mode: false });
    const made = folder.file("y");
    assert.equal(statSync(usual).mode & 0o777, statSync(made).mode & 0o777);
  });

  it("keeps the times when it is asked to", async () => {
    const source = folder.file("x");
    utimesSync(source, 1_000_000_000, 1_100_000_000);
    const [kept, now] = [fresh(), fresh()];
    await copyFile(source, kept, { times: true, durable: true });
    assert.equal(statSync(kept).mtimeMs, 1_100_000_000_000);
    await copyFile(source, now);
    assert.ok(statSync(now).mtimeMs > 1_100_000_000_000);
  });

  it("replaces a target at once, and in place when it is told to", async () => {
    const source = folder.file("new");
    const target = folder.file("something old");
    const name = fresh();
    linkSync(target, name);
    await copyFile(source, target);
    assert.equal(readFileSync(target, "utf8"), "new");
    assert.equal(readFileSync(name, "utf8"), "something old");
    await copyFile(source, name, { atomic: false });
    assert.equal(readFileSync(name, "utf8"), "new");
  });

  it("replaces nothing without overwrite", async () => {
    const source = folder.file("new");
    for (const atomic of [true, false]) {
      const target = folder.file("old");
      await failsWith("EEXIST", copyFile(source, target, { overwrite: false, atomic }));
      assert.equal(readFileSync(target, "utf8"), "old");
      const other = fresh();
      await copyFile(source, other, { overwrite: false, atomic });
      assert.equal(readFileSync(other, "utf8"), "new");
    }
  });

  it("writes behind a link, and keeps the link", async () => {
    const target = folder.file("old");
    const link = fresh();
    symlinkSync(target, link);
    await copyFile(folder.file("new"), link);
    assert.equal(readFileSync(target, "utf8"), "new");
    assert.ok(
      readdirSync(folder.path, { withFileTypes: true })
        .some((entry) => entry.isSymbolicLink() && link.endsWith(entry.name)),
    );
  });

  it("refuses to copy a file onto itself, under whatever name", async () => {
    const source = folder.file("text");
    const [hard, soft] = [fresh(), fresh()];
    linkSync(source, hard);
    symlinkSync(source, soft);
    for (const target of [source, hard, soft]) {
      for (const atomic of [true, false]) {
        await failsWith("EINVAL", copyFile(source, target, { atomic }));
      }
    }
    assert.equal(readFileSync(source, "utf8"), "text");
  });

  it("refuses what is no file, and folders", async () => {
    const source = folder.file("text");
    const inner = fresh();
    mkdirSync(inner);
    await failsWith("EISDIR", copyFile(inner, fresh()));
    await failsWith("EISDIR", copyFile(source, inner));
    await failsWith("EINVAL", copyFile("/dev/null", fresh()));
    await failsWith("ENOENT", copyFile(join(folder.path, "none"), fresh()));
    await failsWith("ENOENT", copyFile(source, join(folder.path, "none", "file")));
    await failsWith("ENOTDIR", copyFile(source, join(source, "file")));
  });

  it("writes to a device instead of replacing it, and reports that it is full", async () => {
    const source = folder.file(noise(100_000));
    assert.equal((await copyFile(source, "/dev/null")).bytes, 100_000);
    const error = await failsWith("ENOSPC", copyFile(source, "/dev/full"));
    assert.ok(error instanceof SyscallError);
    assert.equal(statSync("/dev/null").isCharacterDevice(), true);
    assert.equal(statSync("/dev/full").isCharacterDevice(), true);
  });

  it("takes names as long as they may be", async () => {
    const target = join(folder.path, "n".repeat(255));
    await copyFile(folder.file("x"), target);
    assert.equal(readFileSync(target, "utf8"), "x");
  });

  it("leaves nothing behind when it is aborted, and what was there before", async () => {
    const source = folder.file(noise(8 * MIB));
    for (const method of METHODS) {
      for (const existing of [false, true]) {
        const target = existing ? folder.file("old") : fresh();
        const controller = new AbortController();
        const copying = copyFile(source, target, {
          method,
          signal: controller.signal,
          maxRate: 16 * MIB,
          chunkSize: 65536,
          onProgress: () => controller.abort(new Error("enough")),
        });
        const error = await failsWith("ABORT_ERR", copying);
        assert.equal((error.cause as Error).message, "enough");
        assert.ok((error as Error & { bytesMoved: number }).bytesMoved < 8 * MIB);
        assert.equal(existsSync(target), existing);
        if (existing) assert.equal(readFileSync(target, "utf8"), "old");
      }
    }
    await failsWith("ABORT_ERR", copyFile(source, fresh(), { signal: AbortSignal.abort() }));
  });

  it("empties a target in place that it could not fill, and removes one that it made", async () => {
    const source = folder.file(noise(8 * MIB));
    for (const existing of [false, true]) {
      const target = existing ? folder.file("old") : fresh();
      const controller = new AbortController();
      const options: CopyOptions = {
        atomic: false,
        signal: controller.signal,
        maxRate: 16 * MIB,
        onProgress: () => controller.abort(),
      };
      await failsWith("ABORT_ERR", copyFile(source, target, options));
      assert.equal(existsSync(target), existing);
      if (existing) assert.equal(statSync(target).size, 0);
    }
  });

  it("notices that the source became shorter, also in a hole", async () => {
    for (const holes of [false, true]) {
      const source = folder.file(noise(2 * MIB));
      if (holes) truncateSync(source, 64 * MIB);
      const target = fresh();
      let cut = false;
      const error = await copyFile(source, target, {
        maxRate: 8 * MIB,
        chunkSize: 4096,
        onProgress: () => {
          if (!cut) truncateSync(source, MIB);
          cut = true;
        },
      }).then(() => assert.fail("it succeeded"), (error) => error);
      assert.equal(error.name, "TruncatedError");
      assert.equal(existsSync(target), false);
      assert.deepEqual(leftovers(), []);
    }
  });

  it("reports progress up to the end", async () => {
    const seen: number[] = [];
    const source = folder.file(noise(3 * MIB));
    await copyFile(source, fresh(), {
      maxRate: 4 * MIB,
      onProgress: ({ bytes, total }) => {
        assert.equal(total, 3 * MIB);
        seen.push(bytes);
      },
    });
    assert.ok(seen.length >= 2, String(seen));
    assert.equal(seen.at(-1), 3 * MIB);
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  });

  it("leaves the page cache as it was when it is asked to", { skip: NO_CACHESTAT }, async () => {
    const source = folder.file(noise(24 * MIB));
    const target = fresh();
    const fd = sys.open(source, sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC);
    await dropFromCache(fd);
    sys.close(fd);
    await copyFile(source, target, { cache: "drop" });
    // Another process may have read a page; but the copy moved 48 MiB.
    assert.ok(cachedBytes(source) + cachedBytes(target) < 2 * MIB);
    assert.ok(readFileSync(target).equals(readFileSync(source)));
    assert.equal(cachedBytes(source), 24 * MIB);
    await copyFile(source, fresh(), { cache: "drop" });
    // Pages that were cached before stay, if the kernel can tell them apart.
    if (READS_WITHOUT_CACHING) assert.equal(cachedBytes(source), 24 * MIB);
  });

  it("keeps what was cached if the rest was not", { skip: NO_DONTCACHE }, async () => {
    const source = folder.file(noise(8 * MIB));
    for (const method of ["auto", "direct"] as const) {
      const fd = sys.open(source, sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC);
      await dropFromCache(fd);
      // The first byte is not cached.
      sys.pread(fd, new Uint8Array(4 * MIB), 4 * MIB);
      sys.close(fd);
      const before = cachedBytes(source);
      assert.ok(before >= 4 * MIB);
      await copyFile(source, fresh(), { cache: "drop", method });
      assert.ok(cachedBytes(source) >= before, `${method}: ${cachedBytes(source)} of ${before}`);
    }
  });

  it("refuses other options before it touches a file", async () => {
    const wrong = (options: unknown) => copyFile("/none", "/none", options as CopyOptions);
    for (
      const options of [null, 1, { method: "fast" }, { cache: true }, { atomic: 1 }, {
        mode: 0o600,
      }]
    ) {
      await assert.rejects(wrong(options), TypeError);
    }
    await assert.rejects(wrong({ maxRate: 0 }), RangeError);
    for (const path of [1, null, "", "a\0b", {}]) {
      await assert.rejects(copyFile(path as string, "/none"), TypeError);
      await assert.rejects(copyFile("/none", path as string), TypeError);
    }
  });

  it("copies many at a time", async () => {
    const bytes = noise(200_000);
    const source = folder.file(bytes);
    const targets = Array.from({ length: 20 }, fresh);
    await Promise.all(targets.map((target) => copyFile(source, target)));
    for (const target of targets) assert.ok(readFileSync(target).equals(bytes));
  });
});

describe("the temporary file of copyFile()", () => {
  it("has no name, or is readable for its owner only while it is incomplete", async () => {
    const source = folder.file(noise(MIB));
    chmodSync(source, 0o644);
    let seen = 0;
    await copyFile(source, fresh(), {
      maxRate: 8 * MIB,
      onProgress: () => {
        for (const name of leftovers()) {
          assert.equal(statSync(join(folder.path, name)).mode & 0o777, 0o600);
          seen++;
        }
      },
    });
    // Where the file system and the kernel have such files: ext4, XFS, btrfs, tmpfs.
    if (HAS_UNNAMED) assert.equal(seen, 0);
    else assert.ok(seen > 0);
    assert.deepEqual(leftovers(), []);
  });
});
