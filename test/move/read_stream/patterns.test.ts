import assert from "node:assert/strict";
import * as fs from "node:fs";
import type { ServerResponse } from "node:http";
import { connect, createServer } from "node:net";
import { PassThrough } from "node:stream";
import { after, describe, it } from "node:test";
import { createReadStream } from "../../../src/move/read_stream/read_stream.ts";
import { Folder, noise, Reader } from "../../_kit/bytes.ts";
import { Client, recording, withServer } from "../../_kit/serve.ts";
import { acceptOne, HOST } from "../../_kit/targets_net.ts";
import { type Pattern, PATTERNS } from "./_patterns.ts";

type Create = typeof fs.createReadStream;
type Options = Exclude<Parameters<Create>[1], string | undefined>;

const SIZE = 700_001;
/** More than the buffers of a connection hold. */
const LATE_SIZE = 12 * 1024 * 1024 + 1;
const folder = new Folder();
const content = noise(SIZE);
const path = folder.file(content);
// Not the function that `sluice/register` may have put in its place.
const stock: Create = fs.createReadStream;

after(() => folder.remove());

const OPTIONS: Record<string, Options> = {
  "as it is": {},
  "a range": { start: 12_345, end: 600_000 },
  "an end alone": { end: 400_000 },
  "an odd highWaterMark": { highWaterMark: 70_001 },
  "a small highWaterMark": { highWaterMark: 4099, start: 1 },
};

/** Patterns after which most of the file has not been read when `pipe()` begins. */
const UNREAD = [
  "pipe()",
  "pipe() after readable",
  "pipe() a turn after readable",
  "readable, unshift(), pipe()",
  "read(10), write(), pipe()",
  "an iterator for one piece, then pipe()",
  "write() and pipe()",
];

/** Bytes that the peer of a socket gets. */
async function overSocket(
  create: Create,
  file: string,
  options: Options,
  pattern: Pattern,
  delayMs = 0,
): Promise<Buffer> {
  const { accepted, dialled, close } = await acceptOne(
    createServer({ pauseOnConnect: false }),
    (port) => connect(port, HOST),
  );
  try {
    const lazy = new PassThrough();
    const peer = new Reader(lazy);
    setTimeout(() => dialled.pipe(lazy), delayMs);
    await pattern(create(file, options), accepted);
    assert.equal(await peer.closed, "end");
    return peer.bytes();
  } finally {
    accepted.destroy();
    dialled.destroy();
    await close();
  }
}

/** The body that a client gets, of a response with this Content-Length. */
async function overHttp(
  create: Create,
  options: Options,
  pattern: Pattern,
  length: number,
  file = path,
): Promise<Buffer> {
  const listener = async (_: unknown, response: ServerResponse) => {
    response.setHeader("Content-Length", length);
    await pattern(create(file, options), response);
  };
  return await withServer(listener, async (port) => {
    const client = new Client(port);
    // The second answer shows what the first has left behind.
    await client.get("/");
    const { body } = await client.get("/");
    await client.close();
    return body;
  });
}

function expectSame(actual: Buffer, expected: Buffer): void {
  assert.equal(actual.length, expected.length);
  if (actual.equals(expected)) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(`the first of ${actual.length} bytes that differs is at ${at}`);
}

describe("createReadStream() gives what fs.createReadStream() gives", () => {
  for (const [name, pattern] of Object.entries(PATTERNS)) {
    it(name, async () => {
      for (const [what, options] of Object.entries(OPTIONS)) {
        const expected = await overSocket(stock, path, options, pattern);
        assert.ok(expected.length > 300_000, what);
        expectSame(await overSocket(createReadStream, path, options, pattern), expected);
        const { length } = expected;
        expectSame(await overHttp(createReadStream, options, pattern, length), expected);
      }
    });
  }
});

describe("createReadStream() gives what fs.createReadStream() gives, to a peer that reads late", () => {
  const late = noise(LATE_SIZE);
  const file = folder.file(late);
  for (const [name, pattern] of Object.entries(PATTERNS)) {
    it(name, async () => {
      const expected = await overSocket(stock, file, {}, pattern, 20);
      expectSame(await overSocket(createReadStream, file, {}, pattern, 20), expected);
    });
  }
});

describe("createReadStream() gives what fs.createReadStream() gives of small files", () => {
  for (const bytes of [10_000, 100_000]) {
    const small = folder.file(content.subarray(0, bytes));
    for (const [name, pattern] of Object.entries(PATTERNS)) {
      it(`${name}, ${bytes} bytes`, async () => {
        const options = { highWaterMark: 7001 };
        const expected = await overSocket(stock, small, options, pattern);
        expectSame(await overSocket(createReadStream, small, options, pattern), expected);
        const { length } = expected;
        expectSame(await overHttp(createReadStream, options, pattern, length, small), expected);
        const whole = await overSocket(stock, small, {}, pattern);
        expectSame(await overHttp(createReadStream, {}, pattern, whole.length, small), whole);
      });
    }
  }
});

describe("createReadStream() sends by sendfile(2) what was not read before", () => {
  for (const name of UNREAD) {
    it(name, async () => {
      const { sent } = await recording(() =>
        overSocket(createReadStream, path, {}, PATTERNS[name]!)
      );
      assert.ok(sent > SIZE / 3, `${sent} bytes by sendfile`);
    });
  }
});
