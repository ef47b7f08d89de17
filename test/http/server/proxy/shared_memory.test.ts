import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cell } from "../../../../ffi/libc/cell.ts";
import { BodyPipe, Moved, SharedBuffers } from "../../../../src/http/server/proxy/body_pipe.ts";
import { Counted } from "../../../../src/http/server/proxy/framing.ts";
import * as sys from "../../../../src/sys/mod.ts";
import { inScope } from "../../../_kit/fds.ts";
import { responses, talk } from "../../../_kit/raw_http.ts";
import type { Script } from "../_program.ts";
import { start } from "./_rig.ts";

const CLIENTS = 24;
const ROUNDS = 4;

/** A body that names the request, longer than the pieces in which responses are copied. */
function bodyFor(path: string): string {
  return path.repeat(300);
}

/** Answers requests on a connection in turn; `send` gets the whole answer to one. */
function answering(
  interim: boolean,
  send: (write: (text: string) => void, answer: string) => void,
): Script {
  return (socket, text) => {
    const [, path] = /GET (\S+) HTTP\/1\.1\r\n(?:[^\r]+\r\n)+\r\n$/.exec(text) ?? [];
    if (path === undefined) return;
    const body = bodyFor(path);
    const hints = interim ? `HTTP/1.1 103 Early Hints\r\nLink: <${path}>\r\n\r\n` : "";
    const head = `HTTP/1.1 200 OK\r\nX-Path: ${path}\r\nContent-Length: ${body.length}\r\n\r\n`;
    send((piece) => socket.write(piece, "latin1"), hints + head + body);
  };
}

/** Many clients at once, each with requests of its own on one connection. */
async function askAll(port: number, interim: boolean): Promise<void> {
  await Promise.all(Array.from({ length: CLIENTS }, async (_, client) => {
    const paths = Array.from({ length: ROUNDS }, (_, round) => `/none/${client}/${round}`);
    const requests = paths.map((path, i) =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Padding: ${"x".repeat(50 * client)}\r\n` +
      `${i === ROUNDS - 1 ? "Connection: close\r\n" : ""}\r\n`
    );
    const got = (await talk(port, requests.join(""))).toString("latin1");
    for (const path of paths) {
      assert.ok(!interim || got.includes(`\r\nLink: <${path}>\r\n`), `the hints for ${path}`);
    }
    const finals = got.replaceAll(/HTTP\/1\.1 103 Early Hints\r\nLink: <[^>]+>\r\n\r\n/g, "");
    const read = responses(Buffer.from(finals, "latin1"), paths.map(() => "GET"));
    for (const [i, { body, headers }] of read.entries()) {
      assert.equal(headers.get("x-path"), paths[i]);
      assert.equal(body.toString("latin1"), bodyFor(paths[i]!));
    }
  }));
}

describe("memory that forwarded requests share", () => {
  it("holds an answer whose interim response came with it", async () => {
    const { port } = await start(answering(true, (write, answer) => write(answer)));
    await askAll(port, true);
  });

  it("holds an answer that comes in pieces while others are answered", async () => {
    const script = answering(false, async (write, answer) => {
      for (const end of [9, 20, 60]) {
        write(answer.slice(end === 9 ? 0 : end === 20 ? 9 : 20, end));
        await sleep(3);
      }
      write(answer.slice(60));
    });
    const { port } = await start(script);
    await askAll(port, false);
  });
});

describe("BodyPipe", () => {
  for (const kind of ["kept", "changing"] as const) {
    it(`keeps what does not fit, from memory that is ${kind}`, () =>
      inScope((scope) => {
        const [from] = scope.unix();
        const [to, reader] = scope.unix();
        const filled = fill(to);
        const pipe = new BodyPipe(new SharedBuffers(), { from, to, framing: new Counted(0) });
        if (kind === "kept") {
          const cell = new Cell(BYTES.length);
          cell.bytes.set(BYTES);
          pipe.begin(cell, BYTES.length);
        } else {
          const pieces = [BYTES.slice(0, 2), BYTES.slice(2)];
          pipe.beginWith(...pieces);
          for (const piece of pieces) piece.fill(0);
          // Other requests use the same memory.
          const [other] = scope.unix();
          const another = new BodyPipe(new SharedBuffers(), { from, to: other, framing: ENDED });
          another.beginWith(new Uint8Array(BYTES.length));
        }
        assert.equal(pipe.move(), Moved.WRITE);
        assert.equal(pipe.bytes, 0);
        drain(reader, filled);
        assert.equal(pipe.move(), Moved.DONE);
        assert.equal(pipe.bytes, BYTES.length);
        const got = new Uint8Array(16);
        const count = sys.recv(reader, got, 0);
        assert.deepEqual(got.slice(0, count), BYTES);
        pipe.release();
        return Promise.resolve();
      }));
  }

  it("fails at the next step if the target has gone", () =>
    inScope((scope) => {
      const [from] = scope.unix();
      const [to, reader] = scope.unix();
      sys.shutdown(reader, sys.ShutdownHow.RD);
      const pipe = new BodyPipe(new SharedBuffers(), { from, to, framing: ENDED });
      pipe.beginWith(BYTES);
      assert.equal(pipe.move(), Moved.TARGET_FAILED);
      return Promise.resolve();
    }));
});

const BYTES = new TextEncoder().encode("first");
const ENDED = new Counted(0);

/** Fills a socket; returns the number of bytes. */
function fill(fd: number): number {
  const bytes = new Uint8Array(64 * 1024);
  for (let filled = 0;;) {
    const sent = sys.raw.send(fd, bytes, sys.MessageFlag.DONTWAIT);
    if (sent <= 0) return filled;
    filled += sent;
  }
}

function drain(fd: number, count: number): void {
  const bytes = new Uint8Array(64 * 1024);
  for (let left = count; left > 0;) left -= sys.recv(fd, bytes.subarray(0, left), 0);
}
