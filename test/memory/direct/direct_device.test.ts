import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { AlignedBuffer, DirectFile } from "../../../src/mod.ts";
import { bytesFrom, withPath } from "./_direct.ts";

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "sluice-device-"));

/** A block device of 1 MiB with sectors of 4 KiB. Only root can make one, and not in every container. */
const DEVICE = (() => {
  const image = join(folder, "image");
  writeFileSync(image, "");
  truncateSync(image, MIB);
  const args = ["--sector-size", "4096", "--find", "--show", image];
  const { status, stdout } = spawnSync("losetup", args, { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
})();

const NO_DEVICE = DEVICE === undefined && "no loop device can be made here";

const NO_TMPFS = "no file system can be mounted here";

/** The signal that comes with EFBIG ends a process that does not ignore it. */
const DIES_OF_SIGXFSZ = "Deno" in globalThis && "Deno does not ignore SIGXFSZ";

after(() => {
  if (DEVICE !== undefined) execFileSync("losetup", ["-d", DEVICE]);
  rmSync(folder, { recursive: true });
});

describe("DirectFile on a device with sectors of 4 KiB", () => {
  const open = () => DirectFile.open(DEVICE!, { access: "write" });

  it("asks for what the device wants", { skip: NO_DEVICE }, async () => {
    const file = await open();
    try {
      assert.deepEqual([file.mode, file.alignment.offset, file.size], ["direct", 4096, MIB]);
    } finally {
      await file.close();
    }
  });

  it("reads and writes any place, and changes nothing beside it", { skip: NO_DEVICE }, async () => {
    const file = await open();
    try {
      const model = bytesFrom(0, MIB);
      assert.equal(await file.write(model, 0), MIB);
      for (const [offset, length] of [[1, 1], [511, 513], [4095, 2], [5000, 100_000], [512, 512]]) {
        const source = bytesFrom(offset! * 7, length!);
        model.set(source, offset);
        assert.equal(await file.write(source, offset!), length);
        const target = new Uint8Array(length! + 10);
        await file.read(target, offset!);
        assert.deepEqual(target, model.slice(offset, offset! + length! + 10));
      }
      const whole = AlignedBuffer.allocate(MIB);
      try {
        assert.equal(await file.read(whole.bytes, 0), MIB);
        assert.ok(Buffer.from(model).equals(whole.bytes));
      } finally {
        whole.release();
      }
    } finally {
      await file.close();
    }
  });

  it("throws ENOSPC at its end, and says how far it came", { skip: NO_DEVICE }, async () => {
    const file = await open();
    try {
      const source = bytesFrom(5, 300_000);
      await assert.rejects(file.write(source, MIB - 100_000), (error: Error) => {
        const { code, bytesMoved } = error as Error & { code: string; bytesMoved: number };
        assert.equal(code, "ENOSPC");
        assert.ok(bytesMoved <= 100_000, `${bytesMoved}`);
        return true;
      });
      assert.equal(await file.read(new Uint8Array(10), MIB), 0);
      assert.equal(await file.read(new Uint8Array(100), MIB - 10), 10);
    } finally {
      await file.close();
    }
  });
});

describe("DirectFile where there is no room", () => {
  it("throws ENOSPC, and leaves a file as long as what was written", async (t) => {
    const place = mkdtempSync(join(folder, "tmpfs-"));
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place]);
    if (status !== 0) return t.skip(NO_TMPFS);
    try {
      const path = join(place, "file");
      const file = await DirectFile.open(path, { access: "write", create: true });
      try {
        const source = bytesFrom(1, 3 * MIB);
        const moved = await file.write(source, 0).then(
          () => assert.fail("there was room"),
          (error: Error & { code: string; bytesMoved: number }) => {
            assert.equal(error.code, "ENOSPC");
            return error.bytesMoved;
          },
        );
        assert.ok(moved <= MIB);
        const content = readFileSync(path);
        assert.ok(content.subarray(0, moved).equals(source.subarray(0, moved)));
        await file.truncate(0);
        assert.equal(await file.write(source.subarray(0, 5000), 3), 5000);
      } finally {
        await file.close();
      }
    } finally {
      execFileSync("umount", ["-l", place]);
    }
  });

  it("reads ahead through the page cache of a file system that refuses to drop pages", async (t) => {
    const place = mkdtempSync(join(folder, "tmpfs-"));
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", place]);
    if (status !== 0) return t.skip(NO_TMPFS);
    try {
      const path = join(place, "file");
      writeFileSync(path, bytesFrom(3, 2 * MIB));
      const file = await DirectFile.open(path, { mode: "buffered" });
      try {
        // The first read clears the flag that all of those in flight were started with.
        const pieces: Uint8Array[] = [];
        for await (const piece of file.readable({ blockSize: 65_536, depth: 16 })) {
          pieces.push(piece);
        }
        assert.ok(Buffer.concat(pieces).equals(bytesFrom(3, 2 * MIB)));
      } finally {
        await file.close();
      }
    } finally {
      execFileSync("umount", ["-l", place]);
    }
  });

  const NO_PRLIMIT = spawnSync("prlimit", ["--version"]).status === 0
    ? false
    : "prlimit is not here";
  const limits = [32_768, 33_001, 4097, 100];
  for (const [engine, limit] of ["ring", "threads"].flatMap((e) => limits.map((l) => [e, l]))) {
    it(
      `throws EFBIG at a limit of ${limit} bytes of a file, by ${engine}`,
      { skip: DIES_OF_SIGXFSZ || NO_PRLIMIT },
      () =>
        withPath("", (path) => {
          const probe = fileURLToPath(new URL("../_fixtures/fsize.ts", import.meta.url));
          const { stdout, stderr } = spawnSync(
            "prlimit",
            [`--fsize=${limit}`, process.execPath, probe, path],
            {
              encoding: "utf8",
              timeout: 60_000,
              env: { ...process.env, SLUICE_RING: engine === "ring" ? "" : "off" },
            },
          );
          const { codes, size, good } = JSON.parse(stdout || `{"codes":${JSON.stringify(stderr)}}`);
          assert.deepEqual(codes, ["EFBIG", "EFBIG"]);
          assert.ok(size <= Number(limit) && good, stdout);
          return Promise.resolve();
        }),
    );
  }
});
