import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { runtime } from "../../ffi/mod.ts";
import { createReadStream } from "../../src/mod.ts";
import { available } from "../../src/sys/libc.ts";
import { runChild } from "../_kit/child.ts";
import { bytesOf, LARGE, NO_SLOW_FILES, type SlowFiles, slowFiles } from "../_kit/slow_files.ts";
import { type Wait, watchWaits } from "../_kit/waits.ts";

const PROBE = new URL("../_kit/slow_probe.ts", import.meta.url);

const NONE = !available();
const DENO = runtime().name === "deno";

/** Time that each operation of the file system takes. */
const DELAY_MS = 200;

/** Less than one operation takes. */
const STALL_MS = 120;

const WAYS = [
  "sendFile",
  "sendFileBelow",
  "sendFileToResponse",
  "transfer",
  "broadcast",
  "createReadStream",
  "copyFile",
  "DirectFile",
  "serveStatic",
  "fileResponse",
];

const DENO_CLOSES = "Deno closes files on the event loop, and FUSE is asked for that";

/** Skips tests in which Deno itself closes the files. */
const CLOSED_BY_DENO = DENO && NONE && DENO_CLOSES;

const sumOf = (bytes: Uint8Array) =>
  bytes.reduce((sum, byte, index) => (sum + byte * (index % 251 + 1)) % 1_000_003, 0);

interface Seen {
  readonly length: number;
  readonly sum: number;
  readonly error: string;
}

/** Runs the probe, and fails if its main thread waits for the file system. */
async function probe(...args: string[]): Promise<Seen> {
  let watched: (() => Wait) | undefined;
  const onOutput = (_text: string, _kill: unknown, pid: number) => {
    watched ??= watchWaits(pid);
  };
  const { code, signal, stdout, stderr } = await runChild(PROBE, { args, onOutput });
  const { ms, where } = watched!();
  assert.deepEqual([code, signal], [0, null], stderr);
  assert.ok(ms < STALL_MS, `the event loop waited ${ms} ms in ${where}`);
  return JSON.parse(stdout.split("\n")[1]!) as Seen;
}

describe("files of a file system that takes its time", { skip: NO_SLOW_FILES }, () => {
  let files: SlowFiles;
  before(async () => void (files = await slowFiles(DELAY_MS)));
  after(() => files.close());

  for (const way of WAYS) {
    it(`${way}: the event loop waits for none of it`, { skip: CLOSED_BY_DENO }, async () => {
      const bytes = bytesOf(LARGE);
      const seen = await probe(way, files.path, "large");
      assert.deepEqual([seen.error, seen.length, seen.sum], ["", bytes.length, sumOf(bytes)]);
    });
  }

  it(
    "copyFile: the event loop does not look for holes",
    { skip: CLOSED_BY_DENO },
    async () => {
      const seen = await probe("copyFile", files.path, "sparse");
      const bytes = bytesOf(LARGE);
      assert.deepEqual([seen.error, seen.length, seen.sum], ["", bytes.length, sumOf(bytes)]);
    },
  );

  it("createReadStream: ranges, text, pauses and errors are as on a disk", async () => {
    const path = join(files.path, "large");
    const bytes = bytesOf(LARGE);
    const part = createReadStream(path, { start: 70_000, end: 200_000, highWaterMark: 65_536 });
    const pieces: Uint8Array[] = [];
    for await (const piece of part) pieces.push(piece as Uint8Array);
    assert.ok(Buffer.concat(pieces).equals(bytes.subarray(70_000, 200_001)));
    assert.equal(part.bytesRead, 130_001);
    const whole = createReadStream(pathToFileURL(path), "latin1");
    const [opened] = await once(whole, "open");
    assert.equal(typeof opened, "number");
    let text = "";
    for await (const piece of whole) text += piece as string;
    assert.equal(text, Buffer.from(bytes).toString("latin1"));
    const absent = createReadStream(join(files.path, "absent"));
    const [error] = await once(absent, "error") as [NodeJS.ErrnoException];
    assert.deepEqual([error.code, error.syscall], ["ENOENT", "open"]);
    const ended = createReadStream(path);
    ended.destroy();
    await once(ended, "close");
  });

  for (const way of WAYS.filter((way) => way !== "DirectFile")) {
    it(`${way}: a file that tells no length is sent whole`, async () => {
      const { error, length, sum } = await probe(way, files.path, "lengthless");
      const bytes = bytesOf(5000);
      assert.deepEqual([error, length, sum], ["", bytes.length, sumOf(bytes)]);
    });
  }
});

const FS_HANGS = NONE
  ? "the runtime's own thread is in the call, and the runtime waits for it"
  : false;

describe("files of a file system that never answers", { skip: NO_SLOW_FILES }, () => {
  let files: SlowFiles;
  before(async () => void (files = await slowFiles(Infinity)));
  after(() => files.close());

  for (const way of WAYS) {
    it(`${way}: the event loop goes on, and the process can end`, { skip: FS_HANGS }, async () => {
      const seen = await probe(way, files.path, "large", "1000");
      assert.deepEqual([seen.error, seen.length], ["", -1]);
    });
  }
});
