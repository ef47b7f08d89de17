import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createFileServer,
  type FallbackOptions,
  type FallbackTlsOptions,
  type RequestEvent,
} from "../../../../src/http/mod.ts";
import type { FileServerOptions } from "../../../../src/http/server/control/options.ts";
import { capabilities } from "../../../../src/mod.ts";
import * as raw from "../../../../src/sys/raw/mod.ts";
import { CERTIFICATE, KEY } from "../../../_kit/certificate.ts";
import { openDescriptors } from "../../../_kit/leaks.ts";
import { type RawResponse, responses, talk } from "../../../_kit/raw_http.ts";
import { Certificates, NO_OPENSSL } from "../../../tls/_certificates.ts";
import { saying, type Script, startProgram } from "../_program.ts";
import { makeSite, patterned, TWENTY } from "../_site.ts";
import { secureGet } from "../_tls.ts";
import { cleanUp, HELLO, open, until } from "./_rig.ts";
import { type SecureProgram, startCutter, startSecureProgram } from "./_secure_program.ts";

const NATIVE = capabilities().backend !== null;

/** `node:https` does not tell an end with close_notify from one without. */
const NO_CLOSE_NOTIFY = !NATIVE && "the runtime does not say how a TLS connection has ended";

/** `node:https` of Deno never reports an end without close_notify: the time limit ends the response. */
const SILENT_CUT = !NATIVE && "Deno" in globalThis;

/** The sandbox needs system calls, and Landlock. */
const NO_SANDBOX = NATIVE
  ? raw.landlockVersion() > 0 ? false : "this kernel has no Landlock"
  : "there are no foreign functions";

/** The runtime's own server counts nothing. */
const NO_COUNTS = !NATIVE && "the runtime's own server is used";

const GET = "GET /absent HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const UPGRADE = "GET /absent HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" +
  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

let made: Certificates;
let good: { cert: string; key: string };

/** Starts a server before a program with the certificate `pair`. */
async function start(
  script: Script,
  pair: { cert: string; key: string } = good,
  fallback: Partial<FallbackOptions> = {},
  options: Partial<FileServerOptions> = {},
) {
  const program = await startSecureProgram(script, pair);
  cleanUp.push(() => program.close());
  return { program, ...await startBefore(program.port, fallback, options) };
}

/** Starts a server before what listens on `port`. */
async function startBefore(
  port: number,
  fallback: Partial<FallbackOptions> = {},
  options: Partial<FileServerOptions> = {},
) {
  const site = makeSite();
  cleanUp.push(() => site.remove());
  const events: RequestEvent[] = [];
  const server = createFileServer({
    root: site.root,
    fallback: { to: `https://localhost:${port}`, ca: made.path("ca.pem"), ...fallback },
    onRequest: (event) => events.push(event),
    ...options,
  });
  cleanUp.push(() => server.close({ graceMs: 0 }));
  const { port: own } = await server.listen();
  return { port: own, server, events };
}

async function ask(port: number, request = GET): Promise<RawResponse> {
  const [response] = responses(await talk(port, request), [request.slice(0, request.indexOf(" "))]);
  return response!;
}

/** The reason that the log has for the one request. */
async function reason(events: readonly RequestEvent[]): Promise<string> {
  await until(() => events.length > 0, "no event came");
  return events.at(-1)!.error ?? "none";
}

before(() => {
  if (NO_OPENSSL !== false) return;
  made = new Certificates();
  made.make("ca", { ca: true, names: ["Authority"] });
  made.make("stranger", { ca: true, names: ["Stranger"] });
  good = made.make("good", { issuer: "ca", names: ["localhost", "127.0.0.1"] });
  made.make("old", { issuer: "ca", days: -1 });
  made.make("other", { issuer: "ca", names: ["other.example"] });
  made.make("strange", { issuer: "stranger" });
});
after(() => made?.remove());

const pairOf = (name: string) => ({
  cert: made.path(`${name}.pem`),
  key: made.path(`${name}.key`),
});

describe("a program that is reached by HTTPS", { skip: NO_OPENSSL }, () => {
  it("gets the requests, by its name and with HTTP/1.1", async () => {
    const { events, port, program } = await start(saying(HELLO));
    const answer = await ask(port);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), "hello");
    assert.match(program.requests[0]!, /^GET \/absent HTTP\/1\.1\r\nHost: a\r\n/);
    assert.match(program.requests[0]!, /\r\nX-Forwarded-Proto: http\r\n/);
    assert.deepEqual(program.asked, [{ name: "localhost", protocol: "http/1.1" }]);
    assert.equal(await reason(events), "none");
    assert.equal((await ask(port, GET.replace("absent", "file.txt"))).body.toString(), TWENTY);
    assert.equal(program.requests.length, 1);
  });

  it("may be named by its address, which is no name for SNI", async () => {
    const { port, program } = await start(saying(HELLO));
    const { port: own } = await startBefore(0, { to: `https://127.0.0.1:${program.port}` });
    assert.equal((await ask(own)).status, 200);
    assert.deepEqual(program.asked, [{ name: null, protocol: "http/1.1" }]);
    assert.equal((await ask(port)).status, 200);
  });

  it("must prove who it is", async () => {
    const cases: [name: string, fallback: FallbackTlsOptions, expected: string | number][] = [
      ["other", {}, "its certificate is not for localhost"],
      ["other", { servername: "other.example" }, 200],
      ["good", { servername: "other.example" }, "its certificate is not for other.example"],
      ["old", {}, "its certificate has expired"],
      ["strange", {}, "the issuer of its certificate is not trusted"],
      ["good", { ca: undefined }, "the issuer of its certificate is not trusted"],
      ["strange", { rejectUnauthorized: false }, 200],
      ["old", { rejectUnauthorized: false, ca: undefined }, 200],
    ];
    for (const [name, fallback, expected] of cases) {
      const { events, port, program } = await start(saying(HELLO), pairOf(name), fallback);
      const answer = await ask(port);
      const what = `${name}, ${JSON.stringify(fallback)}`;
      if (typeof expected === "number") assert.equal(answer.status, expected, what);
      else {
        assert.equal(answer.status, 502, what);
        assert.equal(await reason(events), expected, what);
        assert.deepEqual(program.requests.filter((request) => request !== ""), [], what);
      }
    }
  });

  it("is verified by the authorities of the system, where none is named", async () => {
    const { SSL_CERT_FILE } = process.env;
    process.env["SSL_CERT_FILE"] = made.path("ca.pem");
    try {
      const { port } = await start(saying(HELLO), good, { ca: undefined });
      assert.equal((await ask(port)).status, 200);
    } finally {
      if (SSL_CERT_FILE === undefined) delete process.env["SSL_CERT_FILE"];
      else process.env["SSL_CERT_FILE"] = SSL_CERT_FILE;
    }
  });

  it("is given up when it does not finish the handshake, or speaks no TLS", async () => {
    const silent = createServer((socket) => socket.on("error", () => {}).resume());
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    cleanUp.push(() => silent.close());
    const { port: at } = silent.address() as { port: number };
    const { events, port } = await startBefore(at, { connectMs: 300, silenceMs: 300 });
    assert.equal((await ask(port)).status, 504);
    assert.match(await reason(events), /^it was silent for 300 ms$/);
    const plain = await startProgram((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    cleanUp.push(() => plain.close());
    const other = await startBefore(plain.port);
    assert.equal((await ask(other.port)).status, 502);
    assert.notEqual(await reason(other.events), "none");
    await plain.close();
    const nobody = await startBefore(plain.port);
    assert.equal((await ask(nobody.port)).status, 502);
    assert.match(await reason(nobody.events), /ECONNREFUSED/);
  });

  it("may answer with a length, in chunks, or up to its end", async () => {
    const body = Buffer.from(patterned(3_000_000));
    const chunks: Buffer[] = [];
    for (let at = 0; at < body.length; at += 70_001) {
      const chunk = body.subarray(at, at + 70_001);
      chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
    }
    const coded = Buffer.concat([...chunks, Buffer.from("0\r\n\r\n")]);
    const forms: [string, Buffer][] = [
      [`Content-Length: ${body.length}`, body],
      ["Transfer-Encoding: chunked", coded],
      // Deno's own client finds no end of this, and the time limit for silence ends it.
      ...(SILENT_CUT ? [] : [["X-Form: none", body] as [string, Buffer]]),
    ];
    for (const [field, sent] of forms) {
      const { port } = await start((socket, request) => {
        if (!request.includes("\r\n\r\n")) return;
        socket.write(`HTTP/1.1 200 OK\r\n${field}\r\nConnection: close\r\n\r\n`);
        socket.end(sent);
      });
      const answer = await talk(port, GET);
      const at = answer.indexOf("\r\n\r\n") + 4;
      const head = answer.toString("latin1", 0, at);
      assert.match(head, /^HTTP\/1\.1 200 /, field);
      const rest = answer.subarray(at);
      const whole = head.includes("chunked") ? unchunked(rest) : rest;
      assert.ok(whole.equals(body), field);
    }
  });

  it("takes a large body as fast as it reads", async () => {
    const body = Buffer.from(patterned(8_000_000));
    const hash = createHash("sha256");
    let taken = -1;
    const slow = await startReader(hash, (count) => taken = count);
    const server = await startBefore(slow.port);
    const head = `POST /absent HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n` +
      "Connection: close\r\n\r\n";
    const { received, socket } = open(server.port);
    socket.write(head);
    socket.write(body);
    await until(() => received().includes("taken"), "no answer came");
    assert.equal(taken, body.length);
    assert.equal(hash.digest("hex"), createHash("sha256").update(body).digest("hex"));
  });

  it("that is cut off in the middle is no whole answer", async () => {
    const body = patterned(400_000);
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n";
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n61a80\r\n";
    for (const first of [head, chunked]) {
      const program = await startSecureProgram((socket, request) => {
        if (!request.includes("\r\n\r\n")) return;
        socket.write(first);
        socket.write(body);
      }, good);
      cleanUp.push(() => program.close());
      const cutter = await startCutter(program.port, 200_000);
      cleanUp.push(() => cutter.close());
      const { events, port } = await startBefore(cutter.port, {
        silenceMs: SILENT_CUT ? 500 : 60_000,
      });
      const got = await talk(port, GET).catch(() => Buffer.alloc(0));
      assert.ok(!got.includes("\r\n0\r\n\r\n"), "no end of the chunks");
      assert.ok(got.length < 450_000);
      await until(() => events.some(({ state }) => state === "aborted"), "no event came");
      const { error = "" } = events.find(({ state }) => state === "aborted")!;
      assert.match(error, SILENT_CUT ? /^it (?:was silent|ended the conn)/ : /^it ended the conn/);
    }
  });

  it(
    "that says nothing of its length must say when it ends",
    { skip: NO_CLOSE_NOTIFY },
    async () => {
      const program = await startSecureProgram((socket, request) => {
        if (!request.includes("\r\n\r\n")) return;
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        socket.write(patterned(400_000));
      }, good);
      cleanUp.push(() => program.close());
      const cutter = await startCutter(program.port, 200_000);
      cleanUp.push(() => cutter.close());
      const { events, port } = await startBefore(cutter.port);
      const { socket } = open(port);
      socket.write(GET);
      await assert.rejects(once(socket, "end"), { code: "ECONNRESET" });
      await until(() => events.some(({ state }) => state === "aborted"), "no event came");
    },
  );

  it("may speak WebSocket", async () => {
    const { port, server } = await start((socket, request) => {
      const end = request.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (end + 4 === request.length) {
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi",
        );
      } else if (request.endsWith("bye")) socket.end("ended");
    });
    const { received, socket } = open(port);
    socket.write(UPGRADE);
    await until(() => received().endsWith("hi"), "nothing came down");
    socket.write("and bye");
    await until(() => received().endsWith("ended"), "nothing came back");
    const other = open(port);
    other.socket.write(UPGRADE);
    await until(() => other.received().endsWith("hi"), "nothing came down");
    await server.close({ graceMs: 0 });
  });

  it("stands behind a server that speaks TLS too", async () => {
    const tls = { cert: CERTIFICATE, key: KEY };
    const body = patterned(1_000_000);
    const { port, program } = await start(
      (socket, request) => {
        if (!request.includes("\r\n\r\n")) return;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
        socket.end(body);
      },
      good,
      {},
      { tls },
    );
    const answer = await secureGet(port, "/absent");
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(body));
    assert.match(program.requests[0]!, /\r\nX-Forwarded-Proto: https\r\n/);
  });

  it("is reached from the sandbox", { skip: NO_SANDBOX }, async () => {
    const tls = { cert: CERTIFICATE, key: KEY };
    const plain = await start(saying(HELLO), good, {}, { sandbox: true });
    assert.equal((await ask(plain.port)).body.toString(), "hello");
    const both = await start(saying(HELLO), good, {}, { sandbox: true, tls });
    assert.equal((await secureGet(both.port, "/absent")).body.toString(), "hello");
    const plainly = await startProgram(saying(HELLO));
    cleanUp.push(() => plainly.close());
    const to = `127.0.0.1:${plainly.port}`;
    const front = await startBefore(0, { to, ca: undefined }, { sandbox: true, tls });
    assert.equal((await secureGet(front.port, "/absent")).body.toString(), "hello");
    const bad = await start(saying(HELLO), pairOf("old"), {}, { sandbox: true });
    assert.equal((await ask(bad.port)).status, 502);
    assert.equal(await reason(bad.events), "its certificate has expired");
  });

  it("is verified by other authorities after reload()", async () => {
    copyFileSync(made.path("stranger.pem"), made.path("current.pem"));
    const { port, server } = await start(saying(HELLO), good, { ca: made.path("current.pem") });
    assert.equal((await ask(port)).status, 502);
    copyFileSync(made.path("ca.pem"), made.path("current.pem"));
    await server.reload();
    assert.equal((await ask(port)).status, 200);
    made.write("current.pem", "nothing");
    await assert.rejects(server.reload(), { code: "ERR_SLUICE_CERTIFICATE" });
    assert.equal((await ask(port)).status, 200);
  });

  it("gets each session ticket once, and none after reload()", { skip: NO_COUNTS }, async () => {
    const site = makeSite();
    cleanUp.push(() => site.remove());
    writeFileSync(join(site.root, "absent"), "not absent");
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const program = createFileServer({
        root: site.root,
        threads: 1,
        tls: { ...good, maxVersion },
      });
      cleanUp.push(() => program.close({ graceMs: 0 }));
      const { port } = await program.listen();
      const front = await startBefore(port, {}, { threads: 1 });
      for (let i = 0; i < 4; i++) {
        assert.equal((await ask(front.port)).body.toString(), "not absent");
      }
      // Two at a time: the second finds no ticket.
      await Promise.all([ask(front.port), ask(front.port)]);
      await front.server.reload();
      assert.equal((await ask(front.port)).body.toString(), "not absent");
      const { handshakes, resumed } = program.stats().tls!;
      assert.equal(handshakes, 7);
      assert.ok(resumed === 4 || resumed === 5, `${resumed} of them were resumed`);
    }
  });

  it("leaves no descriptor open", { skip: NO_COUNTS }, async () => {
    const { port, program, server } = await start(saying(HELLO));
    await ask(port);
    const others = () => openDescriptors().filter((each) => each.includes("socket:")).length;
    await until(() => program.open.size === 0 && server.stats().open === 0, "some are open");
    const before = others();
    const aborted = Array.from({ length: 10 }, () => open(port).socket);
    for (const socket of aborted) socket.write(GET, () => setTimeout(() => socket.destroy(), 5));
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port)));
    assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
    await until(() => program.open.size === 0 && server.stats().open === 0, "some are open");
    await until(() => others() <= before, "sockets are left");
  });
});

describe("options of a program that is reached by HTTPS", () => {
  const make = (fallback: unknown) => () =>
    createFileServer({ root: ".", fallback } as unknown as FileServerOptions);

  it("are checked", () => {
    make("https://example.org")();
    make("HTTPS://[::1]:8443/")();
    make({ to: "https://example.org", servername: "a.example", rejectUnauthorized: true })();
    make("http://example.org")();
    make("http://[::1]:8080/")();
    assert.throws(make("http://"), /names no host/);
    assert.throws(make("http://a.example/path"), /"http:\/\/host:port" without a path/);
    assert.throws(make({ to: "http://a", servername: "b" }), /fallback\.servername needs/);
    assert.throws(make("ftp://a"), /expected "host:port"/);
    assert.throws(make("https://"), /names no host/);
    assert.throws(make("https://:8443"), /names no host/);
    assert.throws(make("https://a.example/path"), /without a path/);
    assert.throws(make("https://me:secret@a.example"), /without a path/);
    assert.throws(make("https://a.example:99999"), RangeError);
    assert.throws(make({ to: "a:1", ca: "x.pem" }), /fallback\.ca needs fallback\.to/);
    assert.throws(make({ to: "a:1", rejectUnauthorized: false }), /needs fallback\.to/);
    assert.throws(make({ to: "a:1", servername: "b" }), /fallback\.servername needs/);
    assert.throws(make({ to: "https://a", servername: "10.0.0.1" }), /must be a host name/);
    assert.throws(make({ to: "https://a", servername: 1 }), /must be a host name/);
    assert.throws(make({ to: "https://a", rejectUnauthorized: 1 }), /true or false/);
    assert.throws(make({ to: "https://a", ca: 1 }), /fallback\.ca must be/);
  });

  it("name files that must be there", async () => {
    const server = createFileServer({
      root: ".",
      fallback: { to: "https://localhost:1", ca: "/absent/ca.pem" },
    });
    await assert.rejects(server.listen(), { code: "ERR_SLUICE_CERTIFICATE" });
    await server.close();
  });
});

/** The data of a body in chunks. */
function unchunked(coded: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0;;) {
    const line = coded.indexOf("\r\n", at);
    const length = parseInt(coded.toString("latin1", at, line), 16);
    if (!(length > 0)) return Buffer.concat(pieces);
    pieces.push(coded.subarray(line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
}

/** A program that reads a body slowly, and then answers. */
async function startReader(
  hash: ReturnType<typeof createHash>,
  done: (bytes: number) => void,
): Promise<SecureProgram> {
  let length = -1;
  let bytes = 0;
  const program = await startSecureProgram((socket, request) => {
    const end = request.indexOf("\r\n\r\n");
    if (end < 0) return;
    length = Number(/content-length: (\d+)/i.exec(request)![1]);
    const got = request.length - end - 4;
    if (got > bytes) {
      hash.update(request.slice(end + 4 + bytes), "latin1");
      bytes = got;
    }
    socket.pause();
    void sleep(1).then(() => socket.resume());
    if (bytes < length) return;
    done(bytes);
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ntaken");
  }, good);
  cleanUp.push(() => program.close());
  return program;
}
