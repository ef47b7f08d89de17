/** The programs of README.md run as they are printed there. */

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
const NODE_HTTP = bun === undefined ? false : "the README shows Bun's own listener";
const BUN_LISTEN = bun === undefined ? "the program is for Bun" : false;
const DENO_LISTEN = deno === undefined ? "the program is for Deno" : false;

/** The program that follows a sentence of the README. */
function program(sentence: string): string {
  const text = README.slice(README.indexOf(sentence));
  return /```js\n(.*?)```/s.exec(text)![1]!;
}

/** Connects as soon as somebody listens; returns all that the server sends. */
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

async function serves(name: string, sentence: string, request: string): Promise<void> {
  const port = await freePort();
  write("video.mp4", VIDEO);
  const file = write(`${name}.mjs`, program(sentence).replace("8080", String(port)));
  const options = { cwd: consumer(), stdio: "ignore" } as const;
  const child = spawn(process.execPath, programArgs(file), options);
  try {
    const received = await download(port, request);
    assert.ok(received.subarray(-VIDEO.length).equals(VIDEO), `${received.length} bytes came`);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

describe("README.md", () => {
  const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

  it("serves a file with node:http", { skip: NODE_HTTP }, () => {
    return serves("readme_http", "Node.js, with its own HTTP server", get);
  });

  it("serves a file with Bun.listen", { skip: BUN_LISTEN }, () => {
    return serves("readme_bun", "Bun, with its TCP listener", "");
  });

  it("serves a file with Deno.listen", { skip: DENO_LISTEN }, () => {
    return serves("readme_deno", "Deno, with `node:http` as above", "");
  });
});
