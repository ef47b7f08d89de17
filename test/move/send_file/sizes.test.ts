import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { sendFile } from "../../../src/move/send_file/send_file.ts";
import type { SendFileOptions } from "../../../src/move/send_file/types.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { type Target, target, TARGETS, withPair } from "../../_kit/targets.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZES = [0, 1, 4095, 4096, 4097, 64 * KIB, MIB + 1, 20 * MIB];

const folder = new Folder();
const content = noise(20 * MIB);
const files = new Map<number, string>();

before(() => {
  for (const size of SIZES) files.set(size, folder.file(content.subarray(0, size)));
});
after(() => folder.remove());

/** Sends what `options` name, and compares what the peer gets until its end. */
async function sendAndCompare(
  row: Target,
  source: Parameters<typeof sendFile>[1],
  options: SendFileOptions,
  expected: Uint8Array,
): Promise<void> {
  await withPair(row, async ({ target, reader, end }) => {
    const what = JSON.stringify(options);
    const result = await sendFile(target, source, options);
    assert.equal(result.bytes, expected.length, what);
    assert.equal(result.method, row.methodFor(expected.length), what);
    assert.ok(result.durationMs >= 0);
    end();
    assert.equal(await reader.closed, "end");
    await reader.expect(expected, what);
  });
}

for (const row of TARGETS) {
  const { skip, method } = row;
  const warmUp = () => withPair(row, ({ target }) => sendFile(target, files.get(MIB + 1)!));
  describeWithoutLeaks(`sendFile() to: ${row.name}`, { skip, warmUp }, () => {
    it(`sends whole files by ${method}`, { skip }, async () => {
      for (const size of SIZES) {
        await sendAndCompare(row, files.get(size)!, {}, content.subarray(0, size));
      }
    });

    it("sends ranges", { skip }, async () => {
      const size = MIB + 1;
      const ranges: [SendFileOptions, number, number][] = [
        [{ start: 0, end: 0 }, 0, 1],
        [{ start: size - 1 }, size - 1, size],
        [{ start: size - 1, end: size - 1 }, size - 1, size],
        [{ start: 4097, end: 70_000 }, 4097, 70_001],
        [{ start: 1, length: 65_536 }, 1, 65_537],
        [{ end: 99 }, 0, 100],
        [{ length: 0 }, 0, 0],
        [{ start: size }, size, size],
        [{ start: 10, end: 2 * size }, 10, size],
        [{ start: 10, length: Number.MAX_SAFE_INTEGER }, 10, size],
      ];
      for (const [options, from, to] of ranges) {
        await sendAndCompare(row, files.get(size)!, options, content.subarray(from, to));
      }
    });
  });
}

describe("sendFile() beyond 32 bits", () => {
  const EDGES = [2 ** 31, 2 ** 32, 5 * 2 ** 30 - 4 * KIB];
  const MARK = 8 * KIB;
  const mark = noise(MARK, 1);
  let path = "";

  before(() => {
    path = folder.file("");
    const fd = openSync(path, "r+");
    ftruncateSync(fd, 5 * 2 ** 30);
    // Across each edge; of the last one only what still lies within the file is sent.
    for (const edge of EDGES) writeSync(fd, mark, 0, MARK, edge - MARK / 2);
    closeSync(fd);
  });

  for (const name of ["response of node:http", "accepted net.Socket", "descriptor of a pipe"]) {
    it(`sends from a sparse file of 5 GiB to: ${name}`, async () => {
      for (const edge of EDGES) {
        const around = { start: edge - MARK / 2, end: edge + MARK / 2 - 1 };
        await sendAndCompare(target(name), path, around, mark);
        const after = { start: edge + 1, length: 100 };
        await sendAndCompare(
          target(name),
          path,
          after,
          mark.subarray(MARK / 2 + 1).subarray(0, 100),
        );
      }
    });
  }
});

describe("sendFile() sources", () => {
  const expected = content.subarray(0, 4097);
  const row = target("accepted net.Socket");
  const send = (source: Parameters<typeof sendFile>[1]) =>
    sendAndCompare(row, source, {}, expected);

  it("takes a path with odd characters, and a file: URL", async () => {
    const path = folder.file(expected, " ü%20#?.bin");
    await send(path);
    await send(pathToFileURL(path));
  });

  it("borrows a descriptor, and does not move its position", async () => {
    const fd = openSync(files.get(4097)!, "r");
    await send(fd);
    await send({ fd });
    await send(fd);
    closeSync(fd);
  });

  it("borrows a FileHandle", async () => {
    const handle = await open(files.get(4097)!);
    await send(handle);
    await handle.close();
  });

  it("sends one descriptor to several targets at once", async () => {
    const fd = openSync(files.get(20 * MIB)!, "r");
    const wanted = content.subarray(0, 20 * MIB);
    await Promise.all(["accepted net.Socket", "net.Socket on a Unix path", "tls.TLSSocket"].map(
      (name) => sendAndCompare(target(name), fd, {}, wanted),
    ));
    closeSync(fd);
  });
});
