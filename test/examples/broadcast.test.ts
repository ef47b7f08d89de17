import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Folder, noise, Reader, sha256 } from "../_kit/bytes.ts";
import { runChild } from "../_kit/child.ts";

const HOST = "127.0.0.1";
const NO_CALLS = process.env["SLUICE_FFI"] === "none" && "the example makes its own calls";
const folder = new Folder();
const running = new Set<ChildProcess>();
after(() => {
  folder.remove();
  // Left by a test that failed.
  for (const { pid } of running) process.kill(pid!, "SIGKILL");
});

/** Starts an example under this runtime; it prints one line of JSON first. */
async function startExample<T>(name: string, args: string[]) {
  const file = fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));
  const flags = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const child = spawn(process.execPath, [...flags, file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const lines: string[] = [];
  const output = createInterface(child.stdout);
  output.on("line", (line) => lines.push(line));
  await once(output, "line");
  return {
    first: JSON.parse(lines[0]!) as T,
    /** Waits for a line that matches. */
    async printed(pattern: RegExp): Promise<string> {
      for (;;) {
        const found = lines.find((line) => pattern.test(line));
        if (found !== undefined) return found;
        await once(output, "line");
      }
    },
    /** Ends it, and returns its exit code. */
    async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
      const ended = once(child, "exit");
      process.kill(child.pid!, signal);
      return (await ended)[0];
    },
  };
}

describe("examples/tee_logger.ts", () => {
  it("passes a stream on and keeps a copy of it", { timeout: 60_000 }, async () => {
    const bytes = noise(2_000_001);
    const sink = createServer();
    sink.listen(0, HOST);
    await once(sink, "listening");
    const accepted = once(sink, "connection") as Promise<[Socket]>;
    const log = join(folder.path, "traffic.log");
    const { port } = sink.address() as AddressInfo;
    const example = await startExample<{ port: number }>("tee_logger", [String(port), log]);
    const sender = connect(example.first.port, HOST);
    sender.on("error", () => {});
    sender.end(bytes);
    const reader = new Reader((await accepted)[0]);
    await reader.expect(bytes);
    await example.printed(/traffic\.log: complete/);
    assert.equal(sha256(readFileSync(log)), sha256(bytes));
    assert.equal(await reader.closed, "end");
    await example.stop();
    sender.destroy();
    reader.stream.destroy();
    sink.close();
  });
});

describe("examples/video_relay.ts", () => {
  it("shows one stream to viewers who come and go", { timeout: 60_000 }, async () => {
    const example = await startExample<{ source: number; viewers: number }>("video_relay", []);
    const watch = async () => {
      const request = get({ host: HOST, port: example.first.viewers, path: "/" });
      request.on("error", () => {});
      const [response] = await once(request, "response") as [IncomingMessage];
      return { request, reader: new Reader(response) };
    };
    const first = await watch();
    const leaver = await watch();
    const camera = connect(example.first.source, HOST);
    camera.on("error", () => {});
    const bytes = noise(1_000_000);
    camera.write(bytes.subarray(0, 300_000));
    assert.deepEqual(await first.reader.take(300_000), bytes.subarray(0, 300_000));
    await leaver.reader.take(300_000);
    leaver.request.destroy();
    await example.printed(/viewer (removed|failed)/);
    const late = await watch();
    // It may be added a moment after its head has arrived; then it misses the first of these.
    camera.write(bytes.subarray(300_000, 600_000));
    await first.reader.take(600_000);
    camera.end(bytes.subarray(600_000));
    await first.reader.expect(bytes);
    assert.equal(await first.reader.closed, "end");
    assert.equal(await late.reader.closed, "end");
    const got = late.reader.bytes();
    assert.ok(got.length >= 400_000);
    assert.deepEqual(got, bytes.subarray(bytes.length - got.length));
    await example.printed(/stream ended: 1000000 B/);
    // The next stream may begin.
    const again = connect(example.first.source, HOST);
    again.on("error", () => {});
    again.end("x");
    await example.printed(/stream ended: 1 B/);
    await example.stop();
    [camera, again].forEach((socket) => socket.destroy());
  });
});

describe("examples/chat_tee", () => {
  const MEMBERS = 8;

  for (const mode of ["tee", "copy"]) {
    it(`passes messages on, whoever is slow or dead: ${mode}`, { skip: NO_CALLS }, async () => {
      const args = mode === "copy" ? ["--copy"] : [];
      const room = await startExample<{ port: number }>("chat_tee/main", args);
      const join = async () => {
        const socket = connect(room.first.port, HOST);
        socket.on("error", () => {});
        await once(socket, "connect");
        return socket;
      };
      const slow = await join();
      slow.pause();
      const dead = await join();
      const readers = [];
      for (let i = 0; i < MEMBERS; i++) readers.push(new Reader(await join()));
      const sender = new Reader(await join());
      const talk = sender.stream as Socket;
      // All before the sender have joined when it has: the queue keeps their order.
      talk.write("first line\n");
      for (const reader of readers) await reader.take(11);
      dead.resetAndDestroy();
      const bytes = noise(1_600_000);
      for (let from = 0; from < bytes.length; from += 50_000) {
        talk.write(bytes.subarray(from, from + 50_000));
        // A member has to leave that is further behind than its pipe is long.
        for (const reader of readers) await reader.take(11 + from + 50_000);
      }
      (readers[1]!.stream as Socket).write("an answer\n");
      assert.equal((await sender.take(10)).toString("latin1"), "an answer\n");
      const expected = Buffer.concat([Buffer.from("first line\n"), bytes]);
      for (const reader of readers.slice(2)) {
        assert.equal(sha256(reader.bytes().subarray(0, expected.length)), sha256(expected));
      }
      const code = await room.stop("SIGTERM");
      assert.equal(code, 143);
      const sum = await room.printed(/deliveries/);
      assert.match(sum, /^\d+ messages, \d+ deliveries, 1 too slow, 1 gone$/);
      for (const { stream } of readers) stream.destroy();
      for (const socket of [slow, talk]) socket.destroy();
    });
  }

  it("compares both, and says when tee loses", { skip: NO_CALLS }, async () => {
    const { code, stdout, stderr } = await runChild(
      new URL("../../examples/chat_tee/compare.ts", import.meta.url),
      { args: ["--members", "9", "--seconds", "0.01"] },
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout.match(/^ +\d+ +[\d.]+ +[\d.]+ +\S+$/gm)?.length, 5, stdout);
    assert.match(stdout, /^tee (wins from|loses with)/m);
  });

  it("says what is wrong", async () => {
    for (const name of ["main", "compare"]) {
      const file = new URL(`../../examples/chat_tee/${name}.ts`, import.meta.url);
      const { code, stderr } = await runChild(file, { args: ["--port", "x"] });
      assert.deepEqual([code, /Usage/.test(stderr)], [2, true], stderr);
    }
  });
});
