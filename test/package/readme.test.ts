/** The programs of README.md run as they are printed there, and survive clients that misbehave. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../_kit/free_port.ts";
import { consumer, programArgs, write } from "../_kit/package.ts";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const VIDEO = Buffer.alloc(1_000_000, "a video ");

const { bun, deno } = process.versions;
const BUN_LISTEN = bun === undefined ? "the program is for Bun" : false;
const DENO_LISTEN = deno === undefined ? "the program is for Deno" : false;

/** The program that follows a sentence of the README. */
function program(sentence: string): string {
  const text = README.slice(README.indexOf(sentence));
  return /```js\n(.*?)```/s.exec(text)![1]!;
}

/** Connects as soon as a server listens; returns everything that it sends. */
async function download(port: number, request: string): Promise<Buffer> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    try {
      await once(socket, "connect");
    } catch {
      await sleep(100);
      continue;
    }
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    // Only what the program reads: a connection closed with unread bytes is reset.
    if (request !== "") socket.write(request);
    await once(socket, "close");
    return Buffer.concat(chunks);
  }
  throw new Error(`nobody listens on port ${port}`);
}

/** Connects and goes away: by a reset, or after the first bytes have come. */
async function abandon(port: number, request: string, after: "at once" | "later"): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  if (request !== "") socket.write(request);
  if (after === "later") await Promise.race([once(socket, "data"), once(socket, "close")]);
  if (!socket.destroyed) socket.resetAndDestroy();
}

/** Sends unrequested bytes, and reads late. */
async function chat(port: number, bytes: number): Promise<Buffer> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const chunks: Buffer[] = [];
  await once(socket, "connect");
  socket.write("x".repeat(bytes));
  await sleep(300);
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  socket.end();
  await once(socket, "close");
  return Buffer.concat(chunks);
}

async function serves(name: string, sentence: string, request: string): Promise<void> {
  const port = await freePort();
  write("video.mp4", VIDEO);
  const file = write(`${name}.mjs`, program(sentence).replace("8080", String(port)));
  const options = { cwd: consumer(), stdio: "ignore" } as const;
  const child = spawn(process.execPath, programArgs(file), options);
  const check = (received: Buffer, what: string) => {
    assert.equal(child.exitCode, null, `${what}: the server has ended`);
    const whole = received.subarray(-VIDEO.length).equals(VIDEO);
    assert.ok(whole, `${what}: ${received.length} bytes came`);
  };
  try {
    check(await download(port, request), "a client that behaves");
    for (let i = 0; i < 10; i++) await abandon(port, request, "at once");
    for (let i = 0; i < 3; i++) await abandon(port, request, "later");
    check(await download(port, request), "after clients that hang up");
    // Bytes behind a request of HTTP are the next request, and bad ones an error of the client's.
    if (request === "") {
      check(await chat(port, 1), "one byte first");
      check(await chat(port, 100_000), "many bytes first");
    }
    check(await download(port, request), "after all of them");
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

describe("README.md", () => {
  const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

  it("serves a file with node:http", () => {
    return serves("readme_http", "Send a file with `node:http`", get);
  });

  it("serves a file with Bun.listen", { skip: BUN_LISTEN }, () => {
    return serves("readme_bun", "On Bun, you can also use the TCP listener", "");
  });

  it("serves a file with Deno.listen", { skip: DENO_LISTEN }, () => {
    return serves("readme_deno", "On Deno, you can also use the TCP listener", "");
  });
});
