import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { UnsupportedError } from "../../../src/errors.ts";
import { createFileServer, type FileServer } from "../../../src/http/mod.ts";
import type { ServerLimits } from "../../../src/http/server/control/limits.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";
import { responses, talk } from "../../_kit/raw_http.ts";
import { pattern } from "../../_kit/temp.ts";
import { type Program, startProgram } from "./_program.ts";
import { secureGet } from "./_tls.ts";

const MIB = 1 << 20;
const PORTABLE = process.env["SLUICE_FFI"] === "none";
const request = (target: string, more = "") => `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const put = (body: string, more: string) => `PUT /p HTTP/1.1\r\nHost: a\r\n${more}\r\n${body}`;

describe("limits of createFileServer()", () => {
  const root = mkdtempSync(join(tmpdir(), "sluice-limits-"));
  const content = pattern(3 * MIB, 1);
  const servers: FileServer[] = [];
  let program: Program;

  before(async () => {
    writeFileSync(join(root, "three"), content);
    writeFileSync(join(root, "small"), "small");
    // Answers when the body is complete, with its length.
    program = await startProgram((socket, text) => {
      const [head, body] = text.split("\r\n\r\n", 2);
      if (body === undefined) return;
      const length = Number(/content-length: (\d+)/i.exec(head!)?.[1] ?? 0);
      const chunked = /transfer-encoding: chunked/i.test(head!);
      if (chunked ? text.endsWith("0\r\n\r\n") : body.length >= length) {
        const close = "Connection: close\r\n";
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${close}\r\nok`);
      }
    });
  });
  after(async () => {
    for (const server of servers) await server.close({ graceMs: 0 });
    await program.close();
    rmSync(root, { recursive: true });
  });

  async function start(limits: ServerLimits, more: object = {}): Promise<number> {
    const fallback = { to: `http://127.0.0.1:${program.port}`, paths: ["/p"] };
    const server = createFileServer({ root, limits, fallback, ...more });
    servers.push(server);
    return (await server.listen()).port;
  }

  /** The statuses that come back on one connection, and whether each says that it was the last. */
  async function statuses(port: number, text: string, end = false): Promise<string[]> {
    let bytes = await talk(port, text, { end });
    const found: string[] = [];
    while (bytes.length > 0) {
      const head = bytes.toString("latin1", 0, bytes.indexOf("\r\n\r\n") + 4);
      bytes = bytes.subarray(head.length + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0));
      // The runtime's own servers say "100 Continue" before they ask us.
      if (PORTABLE && head.startsWith("HTTP/1.1 100 ")) continue;
      const close = /^connection: close\r$/im.test(head) ? " close" : "";
      found.push(head.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length) + close);
    }
    return found;
  }

  it("maxRequests: the connection ends after so many, files and forwarded ones together", async () => {
    const port = await start({ maxRequests: 3 });
    const two = request("/small") + request("/p");
    assert.deepEqual(await statuses(port, two + request("/small") + request("/small")), [
      "200",
      "200",
      "200 close",
    ]);
    assert.deepEqual(await statuses(port, two + request("/p") + request("/small")), [
      "200",
      "200",
      "200 close",
    ]);
    const once = await start({ maxRequests: 1 });
    assert.deepEqual(await statuses(once, request("/small")), ["200 close"]);
  });

  it("maxBodyBytes: a longer body gets 413, whether its length is known or not", async () => {
    const port = await start({ maxBodyBytes: 1000 });
    const close = "Connection: close\r\n";
    const counted = (bytes: number) =>
      put("x".repeat(bytes), `Content-Length: ${bytes}\r\n${close}`);
    assert.deepEqual(await statuses(port, counted(1000)), ["200 close"]);
    assert.deepEqual(await statuses(port, counted(1001)), ["413 close"]);
    // A client that waits for "100 Continue" is told before it sends anything.
    const waits = "Expect: 100-continue\r\nContent-Length: 5000\r\n";
    assert.deepEqual(await statuses(port, put("", waits)), ["413 close"]);
    const coded = `Transfer-Encoding: chunked\r\n${close}`;
    const chunks = (count: number) => `64\r\n${"x".repeat(100)}\r\n`.repeat(count);
    assert.deepEqual(await statuses(port, put(`${chunks(5)}0\r\n\r\n`, coded)), ["200 close"]);
    assert.deepEqual(await statuses(port, put(`${chunks(50)}0\r\n\r\n`, coded)), ["413 close"]);
    // Without an end, and in pieces: the server must not wait for it.
    assert.match(await trickle(port, put("", coded), chunks(1), 50), /^HTTP\/1\.1 413 /);
    const any = await start({});
    assert.deepEqual(await statuses(any, counted(100_000)), ["200 close"]);
  });

  it("maxRate: so many bytes per second leave, and the first ones of a response at once", {
    skip: PORTABLE && "the kernel keeps this limit, and it cannot be asked",
  }, async () => {
    const time = async (port: number, target = "/three") => {
      const from = performance.now();
      const bytes = await talk(port, request(target, "Connection: close\r\n"));
      assert.ok(responses(bytes, ["GET"])[0]!.body.equals(content), "the bytes are right");
      return (performance.now() - from) / 1000;
    };
    const limited = await time(await start({ maxRate: 4 * MIB }));
    assert.ok(limited > 0.5, `3 MiB at 4 MiB/s took ${limited} s`);
    const free = await time(await start({}));
    assert.ok(limited > 2 * free, `${limited} s with a limit, ${free} s without`);
    // Two of three MiB, and up to one step of the server, are free.
    const port = await start({ maxRate: 200_000, maxRateAfter: 2 * MIB });
    for (let i = 0; i < 2; i++) {
      const at = await arrives(port, 2 * MIB);
      assert.ok(at < 3, `2 MiB without a limit took ${at} s`);
    }
    const secure = await start({ maxRate: 4 * MIB }, { tls: { cert: CERTIFICATE, key: KEY } });
    const from = performance.now();
    assert.ok((await secureGet(secure, "/three")).body.equals(content));
    assert.ok(performance.now() - from > 500, "HTTPS, too");
  });

  it("refuses limits that make no sense", async () => {
    for (const maxRate of [1, 4095, 2 ** 31, -1, 1.5, NaN]) {
      assert.throws(() => createFileServer({ root, limits: { maxRate } }), RangeError);
    }
    const slow = { maxRate: 5000, minRate: 5000 };
    assert.throws(() => createFileServer({ root, limits: slow }), /more than minRate \(5000\)/);
    for (const name of ["maxRateAfter", "maxBodyBytes", "maxRequests"]) {
      for (const value of [-1, 0.5, Infinity]) {
        assert.throws(() => createFileServer({ root, limits: { [name]: value } }), RangeError);
      }
      assert.throws(() => createFileServer({ root, limits: { [name]: "5" } }), TypeError);
    }
    if (!PORTABLE) return;
    const server = createFileServer({ root, limits: { maxRate: 100_000 } });
    await assert.rejects(server.listen(), UnsupportedError);
  });
});

/** Sends a head, then `piece` up to `most` times, a turn for each; returns what comes back. */
function trickle(port: number, head: string, piece: string, most: number): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.write(head);
    let sent = 0;
    const timer = setInterval(() => {
      if (sent++ < most && !socket.destroyed) socket.write(piece);
    }, 2);
    socket.on("error", () => {});
    socket.on("data", (bytes: Uint8Array) => received += Buffer.from(bytes).toString("latin1"));
    socket.on("close", () => {
      clearInterval(timer);
      resolve(received);
    });
  });
}

/** Seconds until `count` bytes of `/three` have arrived. */
function arrives(port: number, count: number): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request("/three")));
    let left = count;
    socket.on("error", reject);
    socket.on("data", (bytes: Uint8Array) => {
      if ((left -= bytes.length) > 0) return;
      socket.destroy();
      resolve((performance.now() - from) / 1000);
    });
  });
}
