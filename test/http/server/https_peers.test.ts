import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createFileServer, type FileServer } from "../../../src/http/mod.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";
import { recordHello } from "../../_kit/client_hello.ts";
import { responses } from "../../_kit/raw_http.ts";
import { pattern } from "../../_kit/temp.ts";
import { NO_CURL, NO_OPENSSL } from "../../tls/_certificates.ts";
import { secureClient, secureGet, secureTalk } from "./_tls.ts";

const run = promisify(execFile);
const MIB = 1 << 20;
const SIZES = [0, 1, 16_383, 16_384, 16_385, 65_536, 65_537, 300_001, MIB, 64 * MIB];
/** Those that fit into memory many times. */
const SMALL = SIZES.filter((size) => size <= MIB);
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const expected = new Map(SIZES.map((size) => [size, hash(pattern(size, size))]));
const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const CLOSE = "Connection: close\r\n";

describe("clients of createFileServer({ tls })", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-https-"));
  const root = join(folder, "site");
  let server: FileServer;
  let port: number;

  before(async () => {
    mkdirSync(root);
    for (const size of SIZES) writeFileSync(join(root, `${size}`), pattern(size, size));
    server = createFileServer({
      root,
      threads: 1,
      tls: { cert: CERTIFICATE, key: KEY, handshakeMs: 60_000 },
    });
    ({ port } = await server.listen());
  });
  after(async () => {
    await server?.close({ graceMs: 0 });
    rmSync(folder, { recursive: true });
  });

  /** Waits until there are no more connections than `before`: clients of the runtime keep some. */
  async function everybodyLeaves(before: number): Promise<void> {
    for (let i = 0; server.stats().open > before; i++, await sleep(10)) {
      assert.ok(i < 1500, `${server.stats().open} connections are open, not ${before}`);
    }
  }

  for (const version of ["1.2", "1.3"]) {
    it(`curl with TLS ${version} gets files of every size`, { skip: NO_CURL }, async () => {
      const certificate = join(folder, `ca-${version}.pem`);
      writeFileSync(certificate, CERTIFICATE);
      const options = ["-sS", "--cacert", certificate, `--tlsv${version}`, "--tls-max", version];
      const url = (size: number) => `https://localhost:${port}/${size}`;
      const resolve = ["--resolve", `localhost:${port}:127.0.0.1`];
      const curl = async (...more: string[]) => {
        const how = { encoding: "buffer", maxBuffer: 1 << 30 } as const;
        return new Uint8Array((await run("curl", [...options, ...resolve, ...more], how)).stdout);
      };
      for (const size of SIZES) {
        assert.equal(hash(await curl(url(size))), expected.get(size), `${size} bytes`);
      }
      const part = await curl("-r", "1000000-40000000", url(64 * MIB));
      assert.equal(hash(part), hash(pattern(64 * MIB, 64 * MIB).subarray(1e6, 40_000_001)));
      const all = await curl(...SMALL.map(url));
      const whole = Buffer.concat(SMALL.map((size) => pattern(size, size)));
      assert.equal(hash(all), hash(whole), "over one connection");
    });
  }

  it("fetch() of the runtime gets files of every size", async () => {
    const ask = fetcher();
    for (const size of SIZES) {
      const answer = await ask(`https://localhost:${port}/${size}`);
      assert.equal(answer.status, 200);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      assert.equal(hash(bytes), expected.get(size), `${size} bytes`);
    }
  });

  it("send 100 requests over each of 20 connections, stop reading, and go away", async () => {
    const { accepted, open } = server.stats();
    const sizes = Array.from({ length: 100 }, (_, i) => SMALL[i % (SMALL.length - 2)]!);
    const text = sizes.map((size) => get(`/${size}`)).join("") + get("/0", CLOSE);
    await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      if (i % 5 === 1) {
        const socket = await secureClient(port);
        socket.on("error", () => {});
        socket.write(get(`/${64 * MIB}`));
        await once(socket, "readable");
        await sleep(100);
        return socket.destroy();
      }
      if (i % 5 === 2) return await stopsReading(port);
      const answers = responses(await secureTalk(port, text), new Array(101).fill("GET"));
      for (const [k, size] of sizes.entries()) {
        assert.equal(hash(answers[k]!.body), expected.get(size), `${size} bytes`);
      }
    }));
    assert.equal(server.stats().accepted - accepted, 20);
    await everybodyLeaves(open);
  });

  it("see no end where a file was truncated, and one otherwise", { skip: NO_OPENSSL }, async () => {
    const file = join(root, "shrinks");
    writeFileSync(file, new Uint8Array(64 * MIB));
    const notified = /<<< TLS 1\.3, Alert .*close_notify/;
    assert.match(await sClient(port, get("/65536", CLOSE)), notified);
    const { truncated } = server.stats();
    const cut = await sClient(port, get("/shrinks", CLOSE), () => truncateSync(file, MIB));
    assert.doesNotMatch(cut, notified);
    assert.equal(server.stats().truncated, truncated + 1);
  });

  it("cannot get anything but TLS by any ClientHello", async () => {
    const hello = await recordHello();
    const { open } = server.stats();
    const random = randomBytes(7);
    const flipped = Array.from({ length: 60 }, () => {
      const bytes = Uint8Array.from(hello);
      for (let i = 0; i <= random() % 4; i++) {
        bytes[5 + (random() << 8 | random()) % (bytes.length - 5)]! ^= 1 << random() % 8;
      }
      return bytes;
    });
    const truncated = [1, 4, 5, 6, 9, 43, 100, hello.length - 1].map((n) => hello.subarray(0, n));
    const longRecord = Uint8Array.from(hello);
    longRecord.set([0xff, 0xff], 3);
    const longMessage = Uint8Array.from(hello);
    longMessage.set([0xff, 0xff, 0xff], 6);
    const endless = new Uint8Array(60_000).fill(0);
    for (let at = 0; at + 300 <= endless.length; at += 300) endless.set([22, 3, 1, 1, 39], at);
    endless.set([1, 0, 0xff, 0xff], 5);
    const empty = Buffer.concat(new Array(2000).fill(Uint8Array.of(22, 3, 1, 0, 0)));
    const shapes = [...flipped, ...truncated, longRecord, longMessage, endless, empty];
    for (const [i, shape] of shapes.entries()) {
      checkRecords(await throwAt(port, [shape], get("/65536")), `shape ${i}`);
    }
    const { failures } = server.stats().tls!;
    assert.ok(failures.other + failures.gone > 0);
    await everybodyLeaves(open);
    assert.equal((await secureGet(port, "/1")).status, 200);
  });

  it("may send the ClientHello byte by byte, and in records of one byte", async () => {
    const hello = await recordHello();
    const bytes = Array.from(hello, (byte) => Uint8Array.of(byte));
    const message = Array.from(hello.subarray(5));
    const records = message.map((byte) => Uint8Array.of(22, 3, 1, 0, 1, byte));
    for (const pieces of [bytes, [Buffer.concat(records)]]) {
      const [first] = await throwAt(port, pieces, "", 10_000);
      assert.equal(first, 22, `the server says hello to ${pieces.length} pieces`);
    }
  });
});

type Ask = (url: string) => Promise<Response>;

/** `fetch()` that trusts the certificate of the tests; that of Node.js cannot be told to: `https.get()`. */
function fetcher(): Ask {
  const { Bun, Deno } = globalThis as unknown as {
    Bun?: unknown;
    Deno?: { createHttpClient(options: { caCerts: string[] }): unknown };
  };
  const how = (more: object): Ask => (url) => fetch(url, more as RequestInit);
  if (Bun !== undefined) return how({ tls: { ca: CERTIFICATE } });
  if (Deno !== undefined) return how({ client: Deno.createHttpClient({ caCerts: [CERTIFICATE] }) });
  return async (url) => {
    const { get } = await import("node:https");
    return await new Promise((resolve, reject) => {
      get(url, { ca: CERTIFICATE, family: 4 }, (response) => {
        const pieces: Uint8Array[] = [];
        response.on("data", (piece: Uint8Array) => pieces.push(piece));
        const status = response.statusCode!;
        response.on("end", () => resolve(new Response(Buffer.concat(pieces), { status })));
      }).on("error", reject);
    });
  };
}

/**
 * Asks for the largest file, waits before it reads, and gets all of it. Then it goes away itself: a
 * socket of `node:tls` in Deno 2.9 that was paused does not notice the end of the connection.
 */
async function stopsReading(port: number): Promise<void> {
  const socket = await secureClient(port);
  socket.pause();
  socket.write(get(`/${64 * MIB}`, CLOSE));
  await sleep(500);
  const pieces: Uint8Array[] = [];
  let missing = Infinity;
  await new Promise<void>((resolve) => {
    socket.once("close", resolve);
    socket.on("data", (piece: Buffer) => {
      if (pieces.length === 0) missing = piece.indexOf("\r\n\r\n") + 4 + 64 * MIB;
      pieces.push(piece);
      missing -= piece.length;
      if (missing <= 0) resolve();
    });
    socket.resume();
  });
  socket.destroy();
  const [answer] = responses(Buffer.concat(pieces), ["GET"]);
  assert.equal(hash(answer!.body), expected.get(64 * MIB), "the reader that stopped");
}

/** Messages that `openssl s_client` prints, without the body; calls `begun` once the body arrives. */
async function sClient(port: number, text: string, begun?: () => void): Promise<string> {
  const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-tls1_3", "-msg", "-ign_eof"];
  const child = spawn("openssl", args);
  const closed = once(child, "close");
  let output = "";
  child.stdout.on("data", (bytes: Uint8Array) => {
    const piece = Buffer.from(bytes).toString("latin1");
    if ((output.slice(-20) + piece).includes("HTTP/1.1 200")) {
      begun?.();
      begun = undefined;
    }
    output += piece.replace(/\0+/g, "");
  });
  child.stderr.resume();
  child.stdin.on("error", () => {});
  await sleep(300);
  child.stdin.write(text);
  await closed;
  return output;
}

/** Sends pieces, a turn for each, and then `text`; returns what came first, within `ms` after it. */
async function throwAt(
  port: number,
  pieces: readonly Uint8Array[],
  text: string,
  ms = 20,
): Promise<Buffer> {
  const socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
  const received: Uint8Array[] = [];
  socket.on("error", () => {});
  socket.on("data", (piece: Uint8Array) => received.push(piece));
  await once(socket, "connect");
  for (const piece of pieces) {
    socket.write(piece);
    if (pieces.length > 1) await sleep(1);
  }
  socket.write(text);
  const ended = new Promise((resolve) => socket.once("close", resolve));
  for (let i = 0; i < ms / 20 && received.length === 0; i++) await Promise.race([ended, sleep(20)]);
  socket.destroy();
  return Buffer.concat(received);
}

/** All of it must be TLS records, as far as it has arrived. */
function checkRecords(bytes: Buffer, what: string): void {
  assert.equal(bytes.includes("HTTP/1"), false, `${what}: plain text`);
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    const type = bytes[at]!;
    // An alert may repeat the version that the client has sent.
    assert.ok(type >= 20 && type <= 23, `${what}: type ${type} at ${at}`);
    if (at + 5 > bytes.length) return;
  }
}

function randomBytes(seed: number): () => number {
  return () => (seed = seed * 48_271 % 0x7fff_ffff) & 255;
}
