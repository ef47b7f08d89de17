import assert from "node:assert/strict";
import { once } from "node:events";
import { truncateSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type FileServer, type RequestEvent } from "../../../src/http/mod.ts";
import type { FileServerOptions } from "../../../src/http/server/control/options.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";
import { freePort } from "../../_kit/free_port.ts";
import { openDescriptors } from "../../_kit/leaks.ts";
import { responses, talk } from "../../_kit/raw_http.ts";
import { Certificates, NO_OPENSSL } from "../../tls/_certificates.ts";
import { type Script, startProgram } from "./_program.ts";
import { LARGE_BYTES, makeSite, patterned, TWENTY } from "./_site.ts";
import { secureClient, secureGet, secureTalk } from "./_tls.ts";

const PAIR = { cert: CERTIFICATE, key: KEY };
const get = (target: string, more = "") =>
  `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const CLOSE = "Connection: close\r\n";

/** Clean-up after each test. */
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

async function start(
  options: Partial<FileServerOptions> = {},
): Promise<{ port: number; root: string; server: FileServer }> {
  const site = makeSite();
  cleanUp.push(() => site.remove());
  const server = createFileServer({ root: site.root, tls: PAIR, ...options });
  cleanUp.push(() => server.close({ graceMs: 0 }));
  const { port } = await server.listen();
  return { port, root: site.root, server };
}

async function startBefore(
  script: Script,
  options: Partial<FileServerOptions> = {},
): Promise<{ port: number; server: FileServer }> {
  const program = await startProgram(script);
  cleanUp.push(() => program.close());
  return await start({ fallback: `127.0.0.1:${program.port}`, ...options });
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++, await sleep(10)) if (holds()) return;
  assert.fail(what);
}

describe("createFileServer({ tls })", () => {
  it("sends small and large files, ranges, errors and folders", async () => {
    const { port, server } = await start({ threads: 2, listing: true });
    const text = new TextDecoder();
    assert.equal(text.decode((await secureGet(port, "/file.txt")).body), TWENTY);
    assert.deepEqual(
      new Uint8Array((await secureGet(port, "/large.bin")).body),
      patterned(LARGE_BYTES),
    );
    const part = await secureGet(port, "/large.bin", { Range: "bytes=1000000-5000000" });
    assert.equal(part.status, 206);
    assert.deepEqual(
      new Uint8Array(part.body),
      patterned(LARGE_BYTES).subarray(1_000_000, 5_000_001),
    );
    assert.equal((await secureGet(port, "/file.txt", { Range: "bytes=0-1,5-6" })).status, 206);
    assert.equal((await secureGet(port, "/missing")).status, 404);
    assert.equal((await secureGet(port, "/plain/")).status, 200);
    assert.equal((await secureGet(port, "/%")).status, 400);
    const { requests, tls } = server.stats();
    assert.equal(requests, 7);
    assert.equal(tls!.handshakes, 7);
  });

  it("keeps connections, and takes requests that are sent ahead", async () => {
    const { port } = await start();
    const many = get("/file.txt").repeat(200) + get("/large.bin") + get("/file.txt", CLOSE);
    const answers = responses(await secureTalk(port, many), new Array(202).fill("GET"));
    assert.equal(answers.length, 202);
    assert.equal(answers[200]!.body.length, LARGE_BYTES);
    assert.ok(answers.every(({ status }) => status === 200));
  });

  it("serves the runtime's own client", async () => {
    const { port } = await start();
    const body = await new Promise<string>((resolve, reject) => {
      const options = { port, host: "localhost", path: "/file.txt", ca: CERTIFICATE, family: 4 };
      request(options, (res) => {
        let text = "";
        res.setEncoding("utf8").on("data", (piece: string) => text += piece);
        res.on("end", () => resolve(text));
      }).on("error", reject).end();
    });
    assert.equal(body, TWENTY);
  });

  it("says in plain text to a client of HTTP that this is HTTPS", async () => {
    const { port, server } = await start();
    const [answer] = responses(await talk(port, get("/file.txt", CLOSE)), ["GET"]);
    assert.equal(answer!.status, 400);
    assert.match(answer!.body.toString("latin1"), /HTTPS/);
    assert.equal(server.stats().tls!.failures.plainHttp, 1);
  });

  it("ends handshakes that take too long, and what is silent after them", async () => {
    const { port, server } = await start({
      tls: { ...PAIR, handshakeMs: 300 },
      limits: { headMs: 300, idleMs: 300 },
    });
    const silent = connectTcp(port, "127.0.0.1");
    await once(silent, "connect");
    silent.resume();
    await once(silent, "close");
    assert.equal(server.stats().tls!.failures.timeout, 1);
    const idle = await secureClient(port);
    idle.resume();
    await once(idle, "close");
    // The server reads on until the client has closed as well.
    await until(() => server.stats().open === 0, "a connection stayed open");
  });

  it("redirects from another port, and asks browsers to stay", async () => {
    const redirectPort = await freePort();
    const { port } = await start({ tls: { ...PAIR, redirectPort, hsts: true } });
    const ask = async (text: string) => responses(await talk(redirectPort, text), ["GET"])[0]!;
    const moved = await ask(get("/a?b=c", CLOSE));
    assert.equal(moved.status, 308);
    assert.equal(moved.headers.get("location"), `https://localhost:${port}/a?b=c`);
    const bad = await ask("GET / HTTP/1.1\r\nHost: a@b/c\r\nConnection: close\r\n\r\n");
    assert.equal(bad.status, 400);
    for (const target of ["/file.txt", "/missing", "/dir"]) {
      const { headers } = await secureGet(port, target);
      assert.equal(headers.get("strict-transport-security"), "max-age=63072000", target);
    }
    const part = await secureGet(port, "/file.txt", { Range: "bytes=1-2" });
    assert.equal(part.headers.get("strict-transport-security"), "max-age=63072000");
    assert.equal(moved.headers.get("strict-transport-security"), undefined, "that was HTTP");
  });

  it("asks browsers to stay in the name of the program, unless that says so itself", async () => {
    const OWN = "max-age=1";
    const { port } = await startBefore((socket, request) => {
      if (!request.includes("\r\n\r\n")) return;
      if (request.startsWith("GET /broken")) return void socket.end("nonsense\r\n\r\n");
      const own = request.startsWith("GET /own") ? `strict-Transport-security: ${OWN}\r\n` : "";
      socket.end(`HTTP/1.1 404 Not Found\r\n${own}Content-Length: 2\r\n\r\nno`);
    }, { tls: { ...PAIR, hsts: 60 } });
    const cases = { "/x": "max-age=60", "/own": OWN, "/broken": "max-age=60" };
    for (const [target, value] of Object.entries(cases)) {
      const answer = await secureTalk(port, get(target, CLOSE));
      const fields = [
        ...answer.toString("latin1").matchAll(/^strict-transport-security: (.*)$/gim),
      ];
      assert.deepEqual(fields.map(([, found]) => found), [value], target);
    }
    const headers = { "strict-transport-security": OWN };
    const { port: other } = await start({ tls: { ...PAIR, hsts: 60 }, headers });
    for (const more of ["", "Range: bytes=1-2\r\n"]) {
      const answer = await secureTalk(other, get("/file.txt", more + CLOSE));
      const fields = [
        ...answer.toString("latin1").matchAll(/^strict-transport-security: (.*)$/gim),
      ];
      assert.deepEqual(fields.map(([, found]) => found), [OWN]);
    }
  });

  it("tells how the bytes have left", async () => {
    const events: RequestEvent[] = [];
    const { port, server } = await start({ onRequest: (event) => events.push(event) });
    await secureGet(port, "/file.txt");
    await secureGet(port, "/large.bin");
    const ended = () => events.filter(({ state }) => state === "done");
    await until(() => ended().length === 2, "the events");
    const file = server.stats().tls!.kernel > 0 ? "sendfile" : "ssl-write";
    assert.deepEqual(ended().map(({ transfer }) => transfer), ["memory", file]);
  });

  it("ends gracefully: what is being sent gets to its end", async () => {
    const { port, server } = await start();
    const socket = await secureClient(port);
    let received = 0;
    socket.write(get("/large.bin"));
    await once(socket, "readable");
    const idle = await secureClient(port);
    idle.write(get("/file.txt"));
    await once(idle, "readable");
    idle.resume();
    const starting = connectTcp(port, "127.0.0.1");
    await once(starting, "connect");
    starting.resume().on("error", () => {});
    const closed = server.close({ graceMs: 10_000 });
    socket.on("data", (piece: Uint8Array) => received += piece.length);
    await once(socket, "close");
    await closed;
    assert.ok(received > LARGE_BYTES, `${received} bytes`);
  });

  it("cuts an answer short, without an end, when its file is truncated", async () => {
    const { port, root, server } = await start();
    writeFileSync(join(root, "shrinks"), new Uint8Array(64 << 20));
    const socket = await secureClient(port);
    socket.on("error", () => {});
    const closed = once(socket, "close").catch(() => {});
    socket.write(get("/shrinks"));
    await once(socket, "readable");
    truncateSync(join(root, "shrinks"), 1 << 20);
    let received = 0;
    socket.on("data", (piece: Uint8Array) => received += piece.length);
    await closed;
    assert.ok(received < 64 << 20);
    await until(() => server.stats().truncated === 1, "it is counted");
  });

  it("tells of requests, in a sandbox too", async () => {
    const events: RequestEvent[] = [];
    const { port, server } = await start({ onRequest: (event) => events.push(event) });
    await secureGet(port, "/file.txt");
    await until(() => events.length > 0, "the event");
    assert.equal(events[0]!.status, 200);
    assert.equal(events[0]!.client, "127.0.0.1");
    assert.equal(server.stats().tls!.handshakes, 1);
    let safe: FileServer;
    try {
      ({ server: safe } = await start({ sandbox: true }));
    } catch (error) {
      assert.equal((error as { code?: string }).code, "ERR_SLUICE_UNSUPPORTED");
      return;
    }
    const answer = await secureGet(safe.address!.port, "/large.bin");
    assert.equal(answer.body.length, LARGE_BYTES);
  });

  it("leaves no descriptors behind", async () => {
    const { port, server } = await start();
    await secureGet(port, "/file.txt");
    const before = openDescriptors().length;
    for (let i = 0; i < 20; i++) {
      await secureGet(port, i % 2 === 0 ? "/large.bin" : "/file.txt");
      const bad = connectTcp(port, "127.0.0.1");
      bad.on("error", () => {});
      bad.end("nonsense");
      bad.resume();
      await once(bad, "close");
    }
    await until(() => server.stats().open === 0, "all connections end");
    assert.ok(
      openDescriptors().length <= before + 1,
      `${openDescriptors().join()} after ${before}`,
    );
  });
});

describe("createFileServer({ tls, fallback })", () => {
  it("passes requests on with their bodies, and answers back", async () => {
    const { port } = await startBefore((socket, text) => {
      const head = text.indexOf("\r\n\r\n") + 4;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (head < 4 || text.length < head + length) return;
      const body = `${length} ${/x-forwarded-proto: (\w+)/i.exec(text)?.[1]}`;
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    const body = "b".repeat(300_000);
    const post =
      `POST /form HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const text = get("/missing") + post + get("/file.txt") + post + get("/other", CLOSE);
    const methods = ["GET", "POST", "GET", "POST", "GET"];
    const answers = responses(await secureTalk(port, text), methods);
    assert.equal(answers.length, 5);
    const bodies = answers.map((answer) => answer.body.toString());
    assert.deepEqual(bodies, ["0 https", "300000 https", TWENTY, "300000 https", "0 https"]);
  });
});

describe("certificates of createFileServer({ tls })", () => {
  it("are checked before it listens", async () => {
    const site = makeSite();
    cleanUp.push(() => site.remove());
    const listen = (tls: FileServerOptions["tls"]) =>
      createFileServer({ root: site.root, tls }).listen();
    const missing = join(site.root, "missing.pem");
    await assert.rejects(listen({ cert: missing, key: KEY }), (error: Error) => {
      assert.equal(error.name, "CertificateError");
      assert.ok(error.message.includes(missing));
      return true;
    });
    await assert.rejects(listen({ cert: CERTIFICATE, key: CERTIFICATE }), /no private key/);
    assert.throws(() => createFileServer({ root: site.root, tls: {} as never }), TypeError);
    assert.throws(() => createFileServer({ root: site.root, tls: 5 as never }), TypeError);
    await assert.rejects(listen({ ...PAIR, ciphers: "NO-SUCH-CIPHER" }), /NO-SUCH-CIPHER/);
  });

  it("are read again by reload()", { skip: NO_OPENSSL }, async () => {
    const made = new Certificates();
    cleanUp.push(() => made.remove());
    const one = made.make("live", { names: ["one.example", "localhost"] });
    const { port, server } = await start({ tls: one, threads: 2 });
    const names = async () => {
      const socket = await secureClient(port, { rejectUnauthorized: false });
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    assert.equal(await names(), "one.example");
    const kept = await secureClient(port, { rejectUnauthorized: false });
    made.make("live", { names: ["two.example"] });
    await server.reload();
    for (let i = 0; i < 4; i++) assert.equal(await names(), "two.example");
    kept.write(get("/file.txt"));
    await once(kept, "readable");
    kept.destroy();
    writeFileSync(one.key, "nothing");
    await assert.rejects(server.reload(), /no private key/);
    assert.equal(await names(), "two.example");
  });
});
