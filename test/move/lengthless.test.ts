import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { PassThrough } from "node:stream";
import { after, before, describe, it } from "node:test";
import { copyFile, DirectFile, sendFile, transfer } from "../../src/mod.ts";
import { fileResponse } from "../../src/http/mod.ts";
import { available } from "../../src/sys/libc.ts";
import { OVER_HTTP, WAYS } from "../_kit/ways.ts";

const NONE = !available();

/** Bytes that a stream receives. */
async function transferred(path: string): Promise<Uint8Array> {
  const stream = new PassThrough();
  const pieces: Uint8Array[] = [];
  stream.on("data", (piece: Uint8Array) => pieces.push(piece));
  const fd = openSync(path, "r");
  try {
    await transfer(fd, stream);
  } finally {
    closeSync(fd);
  }
  return Buffer.concat(pieces);
}

const PROC = "/proc/version";
const MISSING = existsSync(PROC) ? false : "there is no procfs";

describe("files that tell no length", { skip: MISSING }, () => {
  const copy = join(tmpdir(), `sluice-lengthless-${process.pid}`);
  after(() => rmSync(copy, { force: true }));

  for (const path of [PROC, "/proc/self/maps", "/sys/class/net/lo/mtu"]) {
    it(`${path} is copied whole`, async () => {
      await copyFile(path, copy);
      const expected = readFileSync(path).length;
      // The table of mappings changes as it is read.
      if (path.endsWith("maps")) assert.ok(readFileSync(copy).length > 1000);
      else assert.equal(readFileSync(copy).length, expected);
    });
  }

  it("is transferred whole", async () => {
    assert.deepEqual(Buffer.from(await transferred(PROC)), readFileSync(PROC));
  });

  it("is answered with its true length over HTTP", async () => {
    const response = await fileResponse(new Request("http://h/"), PROC);
    assert.equal(response.status, 200);
    const body = new Uint8Array(await response.arrayBuffer());
    assert.deepEqual(Buffer.from(body), readFileSync(PROC));
  });

  for (const [path, code] of [["/proc/self/mem", "EIO"], ["/sys/class/net/lo/speed", "EINVAL"]]) {
    it(`${path}: a read that fails is an error, and names the read`, async (t) => {
      if (!existsSync(path!)) return t.skip("this kernel has no such file");
      const error = await transferred(path!).then(() => undefined, (error) => error);
      assert.equal(error?.code, code);
      assert.match(error.syscall, /^p?read$/);
      await assert.rejects(copyFile(path!, copy), { code });
    });
  }
});

const NO_KMSG = NONE
  ? "without system calls devices are refused"
  : !existsSync("/dev/kmsg") || process.getuid?.() !== 0
  ? "/dev/kmsg cannot be read here"
  : false;

describe("devices that wait", { skip: NO_KMSG }, () => {
  it("/dev/kmsg can be stopped by the signal", async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 200);
    const stream = new PassThrough().resume();
    await assert.rejects(transfer("/dev/kmsg", stream, { signal: abort.signal }), {
      name: "AbortError",
    });
  });
});

const NO_DEVICES = "copyFile copies files";

describe("block devices", () => {
  const image = join(tmpdir(), `sluice-device-${process.pid}`);
  const SIZE = 20 * 1024 * 1024;
  let device = "";
  before(() => {
    if (process.getuid?.() !== 0) return;
    writeFileSync(image, Uint8Array.from({ length: SIZE }, (_, i) => (i >> 12) & 0xff));
    const { status, stdout } = spawnSync("losetup", ["-f", "--show", image], { encoding: "utf8" });
    if (status === 0) device = stdout.trim();
  });
  after(() => {
    if (device !== "") spawnSync("losetup", ["-d", device]);
    rmSync(image, { force: true });
  });

  // HTTP servers send no devices, and one read of DirectFile is as long as its memory.
  const NATIVE = ["sendFileBelow", "sendFileToDescriptor"];
  const ways = Object.keys(WAYS).filter((way) =>
    !OVER_HTTP.includes(way) && way !== "DirectFile" && !(NONE && NATIVE.includes(way))
  );
  for (const way of ways) {
    it(`are whole by ${way}`, { skip: way === "copyFile" && NO_DEVICES }, async (t) => {
      if (device === "") return t.skip("there are no loop devices here");
      const bytes = await WAYS[way]!(dirname(device), basename(device));
      assert.equal(bytes.length, SIZE);
      assert.ok(Buffer.from(bytes).equals(readFileSync(image)));
    });
  }

  it("tell their size past the page cache", async (t) => {
    if (device === "") return t.skip("there are no loop devices here");
    const file = await DirectFile.open(device);
    try {
      assert.equal(file.size, SIZE);
      const end = new Uint8Array(1000);
      assert.equal(await file.read(end, SIZE - 600), 600);
      assert.ok(readFileSync(image).subarray(-600).equals(end.subarray(0, 600)));
    } finally {
      await file.close();
    }
  });

  it("are transferred whole", async (t) => {
    if (device === "") return t.skip("there are no loop devices here");
    const bytes = await transferred(device);
    assert.equal(bytes.length, SIZE);
    assert.ok(Buffer.from(bytes).equals(readFileSync(image)));
  });

  it(
    "are sent whole",
    { skip: NONE && "there is nothing to write to a descriptor with" },
    async (t) => {
      if (device === "") return t.skip("there are no loop devices here");
      const target = openSync(`${image}.out`, "w");
      try {
        const { bytes } = await sendFile(target, device);
        assert.equal(bytes, SIZE);
      } finally {
        closeSync(target);
        rmSync(`${image}.out`, { force: true });
      }
    },
  );
});
