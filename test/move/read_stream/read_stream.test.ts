import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { open } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { PassThrough, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { createReadStream } from "../../../src/move/read_stream/read_stream.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { openDescriptors } from "../../_kit/leaks.ts";

type Create = typeof fs.createReadStream;
type Options = Exclude<Parameters<Create>[1], string | undefined>;

const { ReadStream } = fs;
const folder = new Folder();
const content = noise(200_000);
const path = folder.file(content);
/** So small that it is read without another thread. */
const small = folder.file(content.subarray(0, 10_000));
const EVENTS = ["open", "ready", "data", "end", "error", "close", "pause", "resume", "readable"];

after(() => folder.remove());

/** Events of a stream in order; `data` with its length, errors with code and message. */
function watch(stream: fs.ReadStream, ...silent: string[]): string[] {
  const trace: string[] = [];
  for (const event of EVENTS.filter((name) => !silent.includes(name))) {
    stream.on(event, (value?: unknown) => {
      if (event === "open") trace.push(`open ${typeof value}`);
      else if (event === "data") trace.push(`data ${(value as Buffer).length}`);
      else if (event === "error") trace.push(`error ${describeError(value as Error)}`);
      else trace.push(event);
    });
  }
  return trace;
}

function describeError(error: Error & { code?: string }): string {
  return `${error.name} ${error.code} ${error.message}`;
}

/** Waits until nothing more will happen to a stream. */
async function settled(stream: fs.ReadStream): Promise<void> {
  for (let i = 0; i < 50 && !stream.closed; i++) await sleep(2);
  await sleep(5);
}

/** Events of both streams; `act` returns further values to compare. */
interface Case {
  options?: Options | BufferEncoding;
  file?: Parameters<Create>[0];
  silent?: string[];
  /** Whether it ends early: how far a read ahead has come by then is a matter of microseconds. */
  early?: boolean;
  act?(stream: fs.ReadStream): unknown;
}

const directory = folder.path;

/** When a slow target makes a stream pause is a matter of microseconds. */
const SILENT_WHEN_PIPED = ["data", "pause", "resume"];

const CASES: Record<string, Case> = {
  "a whole file": {},
  "a Buffer as path": { file: Buffer.from(path) },
  "a URL as path": { file: pathToFileURL(path) },
  "a range": { options: { start: 10, end: 100_000 } },
  "one byte": { options: { start: 7, end: 7 } },
  "a start behind the end of the file": { options: { start: 1_000_000 } },
  "an end alone": { options: { end: 99 } },
  "an end behind the end of the file": { options: { start: 5, end: 1_000_000 } },
  "highWaterMark": { options: { highWaterMark: 1000, end: 4999 } },
  "an encoding": { options: { encoding: "latin1" } },
  "an encoding as string": { options: "hex" },
  "no close": { options: { autoClose: false } },
  "no close event": { options: { emitClose: false } },
  "a missing file": { file: "/nowhere/at/all" },
  "a missing file, kept open": { file: "/nowhere/at/all", options: { autoClose: false } },
  "a directory": { file: directory },
  "a closed descriptor": { options: { fd: 999_999 } },
  "destroy() at once": { act: (stream) => void stream.destroy() },
  "destroy(error) at once": { act: (stream) => void stream.destroy(new Error("mine")) },
  "destroy() at the first bytes": {
    early: true,
    act: (stream) => void stream.once("data", () => stream.destroy()),
  },
  "close(callback)": {
    act: (stream) => new Promise((resolve) => stream.close((error) => resolve(error?.name))),
  },
  "pause() and resume()": {
    act(stream) {
      stream.once("data", () => {
        stream.pause();
        setTimeout(() => stream.resume(), 5);
      });
    },
  },
  "read() on readable": {
    silent: ["data", "resume"],
    async act(stream) {
      const hash: string[] = [];
      for await (const chunk of stream) hash.push(sha256(chunk));
      return hash;
    },
  },
  "an iterator that stops early": {
    early: true,
    silent: ["data", "resume"],
    async act(stream) {
      for await (const chunk of stream) return sha256(chunk);
    },
  },
  "setEncoding()": { act: (stream) => void stream.setEncoding("hex") },
  "unshift()": {
    silent: ["data", "resume"],
    async act(stream) {
      await new Promise((resolve) => stream.once("readable", resolve));
      stream.unshift(stream.read(10));
      return sha256(Buffer.concat(await stream.toArray()));
    },
  },
  "a web stream": {
    silent: ["data", "pause", "resume"],
    async act(stream) {
      const parts = [];
      for await (const part of Readable.toWeb(stream)) parts.push(Buffer.from(part));
      return sha256(Buffer.concat(parts));
    },
  },
  "pipe() to a slow writable": {
    silent: SILENT_WHEN_PIPED,
    act: (stream) => collect(stream, (target) => void stream.pipe(target)),
  },
  "pipe() to two writables": {
    silent: SILENT_WHEN_PIPED,
    act: (stream) =>
      Promise.all([1, 2].map(() => collect(stream, (target) => void stream.pipe(target)))),
  },
  "pipeline() through a transform": {
    silent: SILENT_WHEN_PIPED,
    act: (stream) => collect(stream, (target) => void pipeline(stream, new PassThrough(), target)),
  },
};

async function collect(_: fs.ReadStream, connect: (target: Writable) => void): Promise<string> {
  const parts: Buffer[] = [];
  await new Promise((resolve, reject) => {
    const target = new Writable({
      highWaterMark: 100,
      write(chunk, _encoding, done) {
        parts.push(chunk);
        setImmediate(done);
      },
    });
    target.on("finish", resolve).on("error", reject);
    connect(target);
  });
  return sha256(Buffer.concat(parts));
}

/** Runs a case with either function. */
async function run(create: Create, { file = path, options, silent = [], early, act }: Case) {
  let stream: fs.ReadStream;
  try {
    stream = create(file, options as Options);
  } catch (error) {
    return describeError(error as Error);
  }
  const trace = watch(stream, "readable", ...silent);
  const result = await act?.(stream);
  await settled(stream);
  const { bytesRead, start, end, flags, mode, pending, autoClose, destroyed, closed } = stream as
    & fs.ReadStream
    & Record<string, unknown>;
  const told = [...trace];
  stream.destroy();
  await settled(stream);
  const state = {
    bytesRead: early || bytesRead,
    start,
    end,
    flags,
    mode,
    pending,
    autoClose,
    destroyed,
    closed,
  };
  return { trace: told, result, state, path: stream.path };
}

describe("createReadStream() beside fs.createReadStream()", () => {
  for (const [name, row] of Object.entries(CASES)) {
    it(`does the same with ${name}`, async () => {
      for (const file of row.file === undefined ? [path, small] : [row.file]) {
        const expected = await run(fs.createReadStream, { ...row, file });
        assert.deepEqual(await run(createReadStream as Create, { ...row, file }), expected);
      }
    });
  }

  it("reads a small file while the threads of the runtime wait", async () => {
    const pipes = [1, 2, 3, 4].map((index) => `${folder.path}/pipe-${index}`);
    execFileSync("mkfifo", pipes);
    // Node.js has four threads, which wait for a writer here.
    const waiting = pipes.map((pipe) => open(pipe));
    try {
      const bytes = Buffer.concat(await createReadStream(small, { end: 9_999 }).toArray());
      assert.equal(sha256(bytes), sha256(content.subarray(0, 10_000)));
    } finally {
      const writers = pipes.map((pipe) => fs.openSync(pipe, "r+"));
      for (const handle of await Promise.all(waiting)) await handle.close();
      for (const writer of writers) fs.closeSync(writer);
    }
  });

  it("reads a small file as it is when it is read", async () => {
    const changes: Record<string, (file: string) => void> = {
      "it grows": (file) => fs.appendFileSync(file, "more"),
      "it grows beyond what is small": (file) => fs.appendFileSync(file, content),
      "it shrinks": (file) => fs.truncateSync(file, 5),
      "it is emptied": (file) => fs.truncateSync(file, 0),
      "it is replaced": (file) => fs.renameSync(folder.file("another"), file),
      "it is deleted": (file) => fs.unlinkSync(file),
    };
    for (const [name, change] of Object.entries(changes)) {
      for (const options of [{}, { start: 3 }, { end: 200_000 }, { highWaterMark: 3000 }]) {
        const [expected, actual] = await Promise.all(
          [fs.createReadStream, createReadStream as Create].map(async (create) => {
            const file = folder.file(content.subarray(0, 10_000));
            const stream = create(file, options);
            await once(stream, "open");
            change(file);
            const bytes = Buffer.concat(await stream.toArray());
            return [sha256(bytes), bytes.length, stream.bytesRead];
          }),
        );
        assert.deepEqual(actual, expected, `${name}, ${JSON.stringify(options)}`);
      }
    }
  });

  it("gives a small file the errors of the original, and closes it", async () => {
    const before = openDescriptors().length;
    for (
      const act of [
        (stream: fs.ReadStream) => void stream.destroy(new Error("mine")),
        (stream: fs.ReadStream) =>
          void stream.once("open", () => stream.destroy(new Error("mine"))),
        (stream: fs.ReadStream) => void stream.once("open", (fd: number) => fs.closeSync(fd)),
      ]
    ) {
      const [expected, actual] = await Promise.all(
        [fs.createReadStream, createReadStream as Create].map(async (create) => {
          const stream = create(small);
          act(stream);
          // What closing reports has another text.
          return await stream.toArray().then(
            () => "no error",
            ({ code, message }) => code ?? message,
          );
        }),
      );
      assert.equal(actual, expected);
    }
    for (let i = 0; i < 50 && openDescriptors().length > before; i++) await sleep(10);
    assert.equal(openDescriptors().length, before);
  });

  it("borrows a descriptor from its file position, and from a start", async () => {
    for (const options of [{ end: 9 }, { start: 5, end: 20 }, { autoClose: false }]) {
      const results = [];
      for (const create of [fs.createReadStream, createReadStream as Create]) {
        const fd = fs.openSync(path, "r");
        fs.readSync(fd, Buffer.alloc(3));
        const stream = create("", { ...options, fd, autoClose: false });
        const bytes = Buffer.concat(await stream.toArray());
        const next = Buffer.alloc(4);
        fs.readSync(fd, next);
        fs.closeSync(fd);
        results.push([sha256(bytes), bytes.length, next.toString("hex"), stream.bytesRead]);
      }
      assert.deepEqual(results[1], results[0], JSON.stringify(options));
    }
  });

  it("takes a FileHandle, and closes it", async () => {
    for (const create of [fs.createReadStream, createReadStream as Create]) {
      const handle = await open(path);
      const stream = create("", { fd: handle, start: 100 });
      assert.equal(sha256(Buffer.concat(await stream.toArray())), sha256(content.subarray(100)));
      await settled(stream);
      assert.equal(handle.fd, -1);
    }
  });

  it("obeys a signal", async () => {
    const results = [];
    for (const create of [fs.createReadStream, createReadStream as Create]) {
      const controller = new AbortController();
      const stream = create(path, { signal: controller.signal, highWaterMark: 1000 });
      const trace = watch(stream, "data", "readable");
      stream.once("data", () => controller.abort());
      await settled(stream);
      results.push(trace);
    }
    assert.deepEqual(results[1], results[0]);
  });

  it("reads through a custom fs", async () => {
    const calls: string[] = [];
    const custom = {
      open: (...args: unknown[]) => (calls.push("open"), (fs.open as never as Apply)(...args)),
      read: (...args: unknown[]) => (calls.push("read"), (fs.read as never as Apply)(...args)),
      close: (...args: unknown[]) => (calls.push("close"), (fs.close as never as Apply)(...args)),
    };
    const stream = createReadStream(path, { fs: custom as never });
    assert.equal(sha256(Buffer.concat(await stream.toArray())), sha256(content));
    await settled(stream);
    assert.deepEqual([...new Set(calls)], ["open", "read", "close"]);
  });

  it("refuses what the original refuses, in the same words", () => {
    const wrong: [unknown, unknown][] = [
      [undefined, undefined],
      [42, {}],
      ["a\0b", {}],
      [path, { start: -1 }],
      [path, { start: 1.5 }],
      [path, { start: "1" }],
      [path, { end: Number.NaN }],
      [path, { start: 5, end: 4 }],
      [path, { fd: -1 }],
      [path, { encoding: "nonsense" }],
      [path, { fs: {} }],
      [path, 42],
    ];
    for (const args of wrong) {
      const [expected, actual] = [fs.createReadStream, createReadStream].map((create) => {
        try {
          const stream = (create as Apply)(...args) as fs.ReadStream;
          stream.on("error", () => {}).destroy();
          return "no error";
        } catch (error) {
          return describeError(error as Error);
        }
      });
      assert.equal(actual, expected, JSON.stringify(args));
    }
  });

  it("looks like the original", async () => {
    const stream = createReadStream(path);
    assert.ok(stream instanceof ReadStream);
    assert.equal(stream.constructor, ReadStream);
    assert.equal(createReadStream.name, fs.createReadStream.name);
    assert.equal(createReadStream.length, fs.createReadStream.length);
    const keys = (object: object) => Object.keys(object).sort();
    const original = fs.createReadStream(path);
    assert.deepEqual(keys(stream), keys(original));
    for (const open of [stream, original]) {
      open.destroy();
      await settled(open);
    }
  });
});

type Apply = (...args: unknown[]) => unknown;
