import assert from "node:assert/strict";
import { spawn } from "node:child_process";
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

const HOST = "127.0.0.1";
const folder = new Folder();
after(() => folder.remove());

/** Starts an example under this runtime; it prints one line of JSON first. */
async function startExample<T>(name: string, args: string[]) {
  const file = fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));
  const flags = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const child = spawn(process.execPath, [...flags, file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
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
    async stop(): Promise<void> {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
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
