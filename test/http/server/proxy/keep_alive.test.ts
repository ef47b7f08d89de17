import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createFileServer } from "../../../../src/http/mod.ts";
import { Folder } from "../../../_kit/bytes.ts";
import { openDescriptors, startThreads } from "../../../_kit/leaks.ts";
import { type Script, startProgram } from "../_program.ts";
import { makeSite } from "../_site.ts";
import { cleanUp, open, start, text, until } from "./_rig.ts";

const ONE = { threads: 1 };

/** The last whole request on a connection. */
const last = (received: string) => received.split("\r\n\r\n").at(-2)!;

/** Answers each head with its path; `answer` may change that for the n-th request of the program. */
function echo(answer: (path: string, count: number) => string | null = () => null): Script {
  let count = 0;
  const answered = new WeakMap<Socket, number>();
  return (socket, received) => {
    const heads = received.split("\r\n\r\n").length - 1;
    for (let seen = answered.get(socket) ?? 0; seen < heads; seen++) {
      answered.set(socket, seen + 1);
      const path = /^\w+ (\S+)/.exec(received.split("\r\n\r\n")[seen]!)?.[1] ?? "nothing";
      socket.write(answer(path, ++count) ?? ok(path), "latin1");
    }
  };
}

const ok = (body: string, more = "") =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
const body = (response: string) => response.slice(response.indexOf("\r\n\r\n") + 4);

describe("connections to the program", () => {
  it("carry one GET request after the other", async () => {
    const { port, program } = await start(echo(), {}, ONE);
    for (let i = 0; i < 5; i++) assert.equal(body(await text(port, get(`/x${i}`))), `/x${i}`);
    const { socket, received } = open(port);
    for (const path of ["/y1", "/y2", "/y3"]) {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await until(() => received().endsWith(path), path);
    }
    assert.equal(program.requests.length, 1);
    assert.doesNotMatch(program.requests[0]!, /^connection:/im);
  });

  it("carry chunked responses, too", async () => {
    const chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n";
    const { port, program } = await start(echo(() => chunked), {}, ONE);
    for (let i = 0; i < 3; i++) assert.match(await text(port, get("/x")), /\r\n2\r\nab\r\n0\r\n/);
    assert.equal(program.requests.length, 1);
  });

  it("are not shared by requests that may have a body, or must not be repeated", async () => {
    const { port, program } = await start(echo(), {}, ONE);
    const heads = [
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
      "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
      "GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
      "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "DELETE /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ];
    await text(port, get("/first"));
    for (const [index, request] of heads.entries()) {
      await text(port, request);
      assert.equal(program.requests.length, index + 2, request);
      assert.match(program.requests.at(-1)!, /\r\nConnection: close\r\n/, request);
    }
    await text(port, get("/last"));
    assert.equal(program.requests.length, heads.length + 1);
    assert.match(last(program.requests[0]!), /^GET \/last /);
  });

  const endings: Record<string, string> = {
    "forbids it": ok("a", "Connection: x, Close\r\n"),
    "is of HTTP/1.0": "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
    "is a 204": "HTTP/1.1 204 No Content\r\n\r\n",
    "is a 304": "HTTP/1.1 304 Not Modified\r\n\r\n",
    "has bytes after its end": ok("a") + "H",
    "has a second one after its end": ok("a") + ok("forged"),
    "has bytes after its last chunk":
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "contradicts itself": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  };
  for (const [what, ending] of Object.entries(endings)) {
    it(`are closed after a response that ${what}`, async () => {
      const { port, program } = await start(
        echo((_, count) => count === 2 ? ending : null),
        {},
        ONE,
      );
      await text(port, get("/x"));
      await text(port, get("/x"));
      assert.equal(body(await text(port, get("/mine"))), "/mine");
      assert.equal(program.requests.length, 2);
      await until(() => program.open.size === 1, "the first is closed");
    });
  }

  it("are closed when something arrives while they are idle", async () => {
    const { port, program } = await start(echo(), {}, ONE);
    await text(port, get("/x"));
    const [socket] = program.open;
    // Nobody asked for this response.
    socket!.write(ok("forged"));
    await until(() => program.open.size === 0, "it is closed");
    assert.equal(body(await text(port, get("/mine"))), "/mine");
    assert.equal(program.requests.length, 2);
  });

  it("are closed when their client leaves before the end of a response", async () => {
    const { port, program } = await start(
      echo((path) => path === "/part" ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab" : null),
      {},
      ONE,
    );
    await text(port, get("/x"));
    const { socket, received } = open(port);
    socket.write("GET /part HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => received().endsWith("ab"), "a part");
    socket.destroy();
    await until(() => program.open.size === 0, "it is closed");
    assert.equal(body(await text(port, get("/mine"))), "/mine");
    assert.equal(program.requests.length, 2);
  });

  it("are replaced once, if the program closes them before it responds", async () => {
    const heads: string[] = [];
    let ends = 1;
    const { port, program } = await start(
      (socket, received) => {
        const heard = received.split("\r\n\r\n").length - 1;
        heads.push(last(received));
        // Each connection closes at its second request; later all of them, at once.
        if (heard > 1 || ends === 0) socket.destroy();
        else socket.write(ok("a"));
      },
      {},
      ONE,
    );
    assert.equal(body(await text(port, get("/1"))), "a");
    assert.equal(body(await text(port, get("/2"))), "a");
    assert.equal(program.requests.length, 2);
    assert.equal(heads.filter((head) => head.startsWith("GET /2 ")).length, 2);
    ends = 0;
    assert.match(await text(port, get("/3")), /^HTTP\/1\.1 502 /);
    assert.equal(heads.filter((head) => head.startsWith("GET /3 ")).length, 2);
  });

  it("are not replaced after the first byte of a response", async () => {
    const { port, program } = await start(
      (socket, received) => {
        if (received.split("\r\n\r\n").length === 2) socket.write(ok("a"));
        else socket.end("H");
      },
      {},
      ONE,
    );
    await text(port, get("/1"));
    assert.match(await text(port, get("/2")), /^HTTP\/1\.1 502 /);
    assert.equal(program.requests.length, 1);
  });

  it("are new for each request with keepAlive: 0", async () => {
    const { port, program } = await start(echo(), { keepAlive: 0 }, ONE);
    for (let i = 0; i < 3; i++) await text(port, get("/x"));
    assert.equal(program.requests.length, 3);
    for (const request of program.requests) assert.match(request, /\r\nConnection: close\r\n/);
  });

  it("stay no more than keepAlive allows, and end with the server", async () => {
    const waiting: Socket[] = [];
    const { port, program, server } = await start(
      (socket) => void waiting.push(socket),
      { keepAlive: 2 },
      ONE,
    );
    const all = [1, 2, 3, 4].map((i) => text(port, get(`/${i}`)));
    await until(() => waiting.length === 4, "all are asked");
    for (const socket of waiting) socket.write(ok("a"));
    for (const each of all) assert.equal(body(await each), "a");
    await until(() => program.open.size === 2, "two stay");
    await server.close();
    await until(() => program.open.size === 0, "none stays");
  });

  it("end after 4 s without a request", async () => {
    const { port, program } = await start(echo(), {}, ONE);
    await text(port, get("/x"));
    assert.equal(program.open.size, 1);
    const from = performance.now();
    await until(() => program.open.size === 0, "it is closed");
    // The timers of the loop are coarse, and begin with the turn.
    assert.ok(performance.now() - from > 3500);
  });

  it("are kept by a path, too", async () => {
    const folder = new Folder();
    cleanUp.push(() => folder.remove());
    const path = join(folder.path, "socket");
    const program = await startProgram(echo(), path);
    cleanUp.push(() => program.close());
    const site = makeSite();
    cleanUp.push(() => site.remove());
    const server = createFileServer({ root: site.root, fallback: `unix:${path}`, ...ONE });
    cleanUp.push(() => server.close({ graceMs: 0 }));
    const { port } = await server.listen();
    for (let i = 0; i < 3; i++) assert.equal(body(await text(port, get(`/${i}`))), `/${i}`);
    assert.equal(program.requests.length, 1);
  });

  it("leave no descriptor behind", async () => {
    await startThreads();
    const run = async () => {
      const { port, program, server } = await start(
        echo((_, count) => count % 3 === 0 ? "nonsense\r\n\r\n" : null),
        {},
        ONE,
      );
      for (let i = 0; i < 10; i++) await text(port, get("/x"));
      await server.close();
      await program.close();
    };
    await run();
    const before = openDescriptors().length;
    await run();
    await until(() => openDescriptors().length <= before, "they are closed");
  });
});

describe("a request that a program reads as two", () => {
  // This program knows no bodies: all that follows a head is the next request.
  const smuggled = "GET /forged HTTP/1.1\r\nHost: a\r\n\r\n";
  const attacks: Record<string, string> = {
    "by Content-Length": `GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n`,
    "by chunks": "GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `${smuggled.length.toString(16)}\r\n`,
    "by both": `GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n` +
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "by a space before the colon":
      `GET /a HTTP/1.1\r\nHost: a\r\nContent-Length : ${smuggled.length}\r\n\r\n`,
    "by a folded line":
      `GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: ${smuggled.length}\r\n\r\n`,
    "by a bare LF": "GET /a HTTP/1.1\r\nHost: a\r\nX: y\n\nGET /forged HTTP/1.1\r\n\r\n",
    "by another coding": "GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "by POST": `POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n`,
    "by HTTP/1.0": `GET /a HTTP/1.0\r\nContent-Length: ${smuggled.length}\r\n\r\n`,
    "by Upgrade": "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "by Connection": "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\n" +
      `Content-Length: ${smuggled.length}\r\n\r\n`,
  };

  it("gives no other client its second response", async () => {
    const { port, program } = await start(echo(), {}, ONE);
    for (const [how, attack] of Object.entries(attacks)) {
      assert.equal(body(await text(port, get("/warm"))), "/warm", how);
      const { socket } = open(port);
      socket.write(attack + smuggled);
      const others = ["/1", "/2", "/3", "/4"];
      const bodies = await Promise.all(
        others.map(async (path) => body(await text(port, get(path)))),
      );
      assert.deepEqual(bodies, others, how);
      socket.destroy();
      for (const path of others) assert.equal(body(await text(port, get(path))), path, how);
    }
    assert.ok(program.requests.length > Object.keys(attacks).length / 2);
  });
});
