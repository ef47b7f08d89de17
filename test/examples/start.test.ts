import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { crc32, inflateSync } from "node:zlib";
import { makeFolder } from "../../examples/start/folder.ts";
import { gradient, tones } from "../../examples/start/media.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { startServer } from "../_kit/server.ts";

const START = new URL("../../examples/start.ts", import.meta.url);
const MIB = 1024 * 1024;
const parent = mkdtempSync(join(tmpdir(), "sluice-"));

after(() => rmSync(parent, { recursive: true }));

describe("makeFolder()", () => {
  it("writes every file once, and keeps the large one", () => {
    const size = 17 * MIB + 5;
    const folder = makeFolder(parent, "A <note>", size);
    const large = statSync(join(folder, "files", "large.bin"));
    assert.equal(large.size, size);
    assert.equal(makeFolder(parent, "Another <note>", size), folder);
    assert.equal(statSync(join(folder, "files", "large.bin")).ino, large.ino);
    assert.equal(statSync(join(folder, "files")).mode & 0o077, 0);
    assert.match(readFileSync(join(folder, "index.html"), "utf8"), /Another &lt;note&gt;/);
    const names = readdirSync(join(folder, "files"));
    for (
      const name of ["README.md", "LICENSE", "gradient.png", "large.bin", "path.svg", "tones.wav"]
    ) {
      assert.ok(names.includes(name), name);
    }
    assert.ok(!names.some((name) => name.startsWith(".")));
    rmSync(folder, { recursive: true });
  });
});

describe("gradient()", () => {
  it("is a PNG whose chunks are whole and whose pixels are all there", () => {
    const png = Buffer.from(gradient(320, 120));
    assert.deepEqual(png.subarray(0, 8), Buffer.from("\x89PNG\r\n\x1a\n", "latin1"));
    const types = [];
    for (let at = 8; at < png.length;) {
      const length = png.readUInt32BE(at);
      const body = png.subarray(at + 4, at + 8 + length);
      assert.equal(png.readUInt32BE(at + 8 + length), crc32(body));
      const type = body.toString("latin1", 0, 4);
      types.push(type);
      if (type === "IHDR") {
        assert.deepEqual([body.readUInt32BE(4), body.readUInt32BE(8)], [320, 120]);
      }
      if (type === "IDAT") assert.equal(inflateSync(body.subarray(4)).length, 120 * (1 + 3 * 320));
      at += 12 + length;
    }
    assert.deepEqual(types, ["IHDR", "IDAT", "IEND"]);
  });
});

describe("tones()", () => {
  it("is a WAV file of the length that its header says", () => {
    const wav = Buffer.from(tones(2));
    assert.equal(wav.readUInt32LE(4), wav.length - 8);
    assert.equal(wav.readUInt32LE(40), wav.length - 44);
    assert.equal(wav.readUInt32LE(28) * 2, wav.length - 44);
  });
});

describe("npm start", () => {
  it("serves a page, its image, and a part of the large file", async () => {
    const files = join(parent, `sluice-start-${process.getuid?.() ?? "user"}`, "files");
    mkdirSync(files, { recursive: true });
    // A sparse file of the right size is taken for the one of last time.
    writeFileSync(join(files, "large.bin"), "");
    truncateSync(join(files, "large.bin"), 1024 * MIB);
    const server = await startServer(START, ["--port", "0"], { env: { TMPDIR: parent } });
    try {
      const page = (await fetchRaw(server.port, "/")).body.toString();
      const note = server.output().split("\n").find((line) => line.startsWith("Files "))!;
      assert.ok(page.includes(`<strong>${note}.</strong>`), page);
      for (const [, link = ""] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
        const { status } = await fetchRaw(server.port, `/${link}`, {}, "HEAD");
        assert.equal(status, 200, link);
      }
      const image = await fetchRaw(server.port, "/files/gradient.png");
      assert.equal(image.headers.get("content-type"), "image/png");
      const part = await fetchRaw(server.port, "/files/large.bin", { Range: "bytes=-100" });
      assert.equal(part.headers.get("content-range"), "bytes 1073741724-1073741823/1073741824");
      await server.printed(/206 GET \/files\/large\.bin 100 B \w+ [\d.]+ ms/);
    } finally {
      server.kill("SIGTERM");
      assert.equal(await server.ended, 0);
    }
  });
});
