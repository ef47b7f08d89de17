import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { createFileServer, type FileServer } from "../../src/http/mod.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { commandLine } from "../_kit/child.ts";
import { openDescriptors } from "../_kit/leaks.ts";
import { makeSite, TWENTY } from "../http/server/_site.ts";
import { secureClient, secureGet } from "../http/server/_tls.ts";
import type { FloodResult } from "./_fixtures/tls_flood.ts";

const FLOOD = new URL("./_fixtures/tls_flood.ts", import.meta.url);
const HALF_OPEN = 2000;
const HANDSHAKE_MS = 4000;

const REQUESTS = 300;
const PAUSE_MS = 3;
const TIMES = 3;
/** On a busy machine, shorter times show the scheduler rather than the server. */
const LEAST_MS = 4;
const TRIES = 5;

/** Descriptors that this process may open: both sides of the flood need one each, in two processes. */
const descriptors = Number(execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }));
const count = Math.min(HALF_OPEN, descriptors - 300 || HALF_OPEN);

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

async function start(): Promise<{ port: number; server: FileServer }> {
  const site = makeSite();
  cleanUp.push(() => site.remove());
  const tls = { cert: CERTIFICATE, key: KEY, handshakeMs: HANDSHAKE_MS };
  const server = createFileServer({ root: site.root, threads: 1, tls });
  cleanUp.push(() => server.close({ graceMs: 0 }));
  return { port: (await server.listen()).port, server };
}

/** Starts a flood; the returned function ends it. */
async function flood(port: number): Promise<() => Promise<FloodResult>> {
  const [file, ...args] = commandLine(FLOOD, [String(port), String(count)]);
  const child = spawn(file!, args, { stdio: ["pipe", "pipe", "inherit"] });
  const gone = once(child, "exit");
  const lines = createInterface(child.stdout);
  const last = new Promise<string>((resolve) => lines.on("line", resolve));
  assert.equal(await last, "open");
  return async () => {
    const line = once(lines, "line");
    child.stdin.end();
    const [text] = await line as [string];
    await gone;
    return JSON.parse(text);
  };
}

/** The 99th percentile of the time that a request takes on one connection. */
async function latency(socket: TLSSocket): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const started = performance.now();
    let text = "";
    socket.write("GET /file.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!text.endsWith(TWENTY)) {
      const [piece] = await once(socket, "data") as [Uint8Array];
      text += new TextDecoder().decode(piece);
    }
    times.push(performance.now() - started);
    await sleep(PAUSE_MS);
  }
  return times.sort((a, b) => a - b)[Math.floor(REQUESTS * 0.99)]!;
}

describe(`${count} handshakes that do not end`, () => {
  it("slow down nobody else by much, are ended in time, and get no plain text", async () => {
    const { port, server } = await start();
    const before = openDescriptors().length;
    const socket = await secureClient(port);
    cleanUp.push(() => socket.destroy());
    await latency(socket);
    const alone = await latency(socket);
    const end = await flood(port);
    const beside: number[] = [];
    const limit = TIMES * Math.max(alone, LEAST_MS);
    while (beside.length < TRIES && !(beside.at(-1)! <= limit)) beside.push(await latency(socket));
    for (let i = 0; i < 20; i++) assert.equal((await secureGet(port, "/file.txt")).status, 200);
    const { open } = server.stats();
    // All silent clients have timed out.
    await sleep(HANDSHAKE_MS);
    const { ended, strange } = await end();
    const { failures } = server.stats().tls!;
    assert.ok(
      beside.at(-1)! <= limit,
      `p99 of ${alone} ms became ${beside.join(", ")}: more than ${limit}`,
    );
    assert.ok(open <= count + 25, `${open} connections were open`);
    assert.ok(failures.timeout >= count / 4, `${failures.timeout} handshakes took too long`);
    assert.ok(ended > failures.timeout, `${ended} connections were ended`);
    assert.equal(strange, 0, "bytes that are no TLS record");
    socket.destroy();
    for (let i = 0; server.stats().open > 0; i++) {
      assert.ok(i < 1000, `${server.stats().open} connections stayed open`);
      await sleep(10);
    }
    assert.ok(openDescriptors().length <= before + 1, "descriptors stayed open");
  });
});
