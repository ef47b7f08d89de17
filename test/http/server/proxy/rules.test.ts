import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer } from "../../../../src/http/mod.ts";
import type { FileServerOptions } from "../../../../src/http/server/control/options.ts";
import { talk } from "../../../_kit/raw_http.ts";
import { saying } from "../_program.ts";
import { TWENTY } from "../_site.ts";
import { HELLO, open, start, text, until } from "./_rig.ts";

describe("a request for the program", () => {
  it("is given up when its client leaves, by an ordinary end too", async () => {
    const { port, program } = await start(() => {});
    const clients = Array.from({ length: 20 }, () => open(port).socket);
    for (const socket of clients) socket.write("GET /absent HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => program.open.size === 20, "all were asked");
    for (const socket of clients) socket.end();
    await until(() => program.open.size === 0, "nobody waits for the answers");
  });

  it("is given up when its client leaves in the middle of an endless answer", async () => {
    const { port, program } = await start((socket, request) => {
      if (request.endsWith("\r\n\r\n")) {
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
      }
    });
    const { socket, received } = open(port);
    socket.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => received().endsWith("\n\n") || received().includes("data: 1"), "an event");
    socket.destroy();
    await until(() => program.open.size === 0, "nobody listens");
  });

  it("is one of HTTP/1.1, whatever the client speaks, and its chunks are undone", async () => {
    const { port, program } = await start((socket, request) => {
      if (!request.includes("\r\n\r\n")) return;
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n");
      setTimeout(() => socket.end("6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"), 20);
    });
    const got = await text(port, "GET /absent HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert.match(got, /\r\n\r\nhello world$/);
    assert.doesNotMatch(got, /chunked|X-Trailer/i);
    assert.match(program.requests[0]!, /^GET \/absent HTTP\/1\.1\r\n/);
    assert.match(program.requests[0]!, new RegExp(`\r\nHost: 127.0.0.1:${program.port}\r\n`, "i"));
    assert.equal(program.requests[0]!.match(/\r\nHost:/gi)!.length, 1);
  });

  it("whose chunked answer breaks off looks complete to no client of HTTP/1.0", async () => {
    const { port } = await start((socket, request) => {
      if (!request.includes("\r\n\r\n")) return;
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo");
      setTimeout(() => socket.destroy(), 50);
    });
    await assert.rejects(talk(port, "GET /absent HTTP/1.0\r\n\r\n"), { code: "ECONNRESET" });
  });

  it("loses its trailers", async () => {
    const { port, program } = await start((socket, request) => {
      if (/\r\n0\r\n(.*\r\n)?\r\n$/s.test(request)) socket.end(HELLO);
    });
    const head = "POST /x HTTP/1.1\r\nHost: a\r\nTrailer: X-Forwarded-For\r\n" +
      "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    const body = "5\r\nhello\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nA: b\r\n\r\n";
    assert.match(await text(port, head + body), /hello$/);
    const { socket, received } = open(port);
    for (const character of head + body) {
      socket.write(character);
      await sleep(1);
    }
    await until(() => received().endsWith("hello"), "an answer");
    assert.equal(program.requests.length, 2);
    for (const request of program.requests) {
      assert.doesNotMatch(request, /6\.6\.6\.6|\r\nA: b|Trailer:/i);
      assert.match(request, /\r\n0\r\n\r\n$/);
    }
  });

  it("says in Via who passed it on, unless it is told not to", async () => {
    for (const via of [true, false]) {
      const { port, program } = await start(saying(HELLO), { via });
      await text(port, "GET /absent HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      assert.equal(/\r\nVia: 1\.1 sluice\r\n/i.test(program.requests[0]!), via);
    }
    assert.throws(() => createFileServer({ root: ".", fallback: { to: ":1", via: 1 as never } }), {
      name: "TypeError",
    });
  });

  it("loses the fields that Connection names, but never Host", async () => {
    const { port, program } = await start(saying(HELLO));
    await text(
      port,
      "GET /absent HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop,\tX-Tab, Host\r\n" +
        "X-Hop: 1\r\nX-Tab: 1\r\nX-Stay: 1\r\n\r\n",
    );
    assert.match(program.requests[0]!, /\r\nX-Stay: 1\r\n/);
    assert.match(program.requests[0]!, /\r\nHost: a\r\n/);
    assert.doesNotMatch(program.requests[0]!, /X-Hop|X-Tab/);
  });

  it("has one Host, and a target whose authority could be one", async () => {
    const { port, program } = await start(saying(HELLO));
    const twice = "GET /absent HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n";
    assert.match(await text(port, twice), /^HTTP\/1\.1 400 /);
    for (const method of ["GET", "POST"]) {
      for (const authority of ["evil:80:80", "[[]x]", "u@h", "", "a,b", "h:x", "%61"]) {
        const request = `${method} http://${authority}/absent HTTP/1.1\r\nHost: a\r\n` +
          "Connection: close\r\n\r\n";
        assert.match(await text(port, request), /^HTTP\/1\.1 400 /, authority);
      }
    }
    assert.equal(program.requests.length, 0);
    for (const target of ["http://example.org:8000/absent?x", "http://example.org:8000?x"]) {
      await text(port, `POST ${target} HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n`);
      const request = program.requests.at(-1)!;
      assert.match(request, /^POST \/(absent)?\?x HTTP\/1\.1\r\n/);
      assert.match(request, /\r\nHost: example\.org:8000\r\n/i);
      assert.equal(request.match(/\r\nHost:/gi)!.length, 1);
    }
  });
});

describe("an answer of the program", () => {
  const ask = "GET /absent HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

  it("with 426 says which protocol is required", async () => {
    const answer = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.0, HTTP/2.0\r\n" +
      "Connection: Upgrade\r\nContent-Length: 2\r\n\r\nno";
    const { port } = await start(saying(answer));
    const got = await text(port, ask);
    assert.match(got, /\r\nUpgrade: TLS\/1\.0, HTTP\/2\.0\r\n/i);
    assert.match(got, /\r\nConnection: [^\r]*upgrade/i);
  });

  it("with 204 has no Content-Length", async () => {
    const { port } = await start(
      saying("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nA: b\r\n\r\n"),
    );
    const got = await text(port, ask);
    assert.match(got, /^HTTP\/1\.1 204 /);
    assert.match(got, /\r\nA: b\r\n/);
    assert.doesNotMatch(got, /content-length/i);
  });

  it("keeps every byte of a field, whatever Unicode calls white space", async () => {
    const { port } = await start(
      saying(HELLO.replace("\r\n\r\n", "\r\nX: \t\xa0v\xa0 \t\r\n\r\n")),
    );
    assert.match(await text(port, ask), /\r\nX: \xa0v\xa0\r\n/i);
  });

  it("that ends by a reset looks complete to nobody", async () => {
    const { port } = await start((socket, request) => {
      if (!request.includes("\r\n\r\n")) return;
      socket.write("HTTP/1.1 200 OK\r\n\r\nup to the");
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
    const old = ask.replace("HTTP/1.1", "HTTP/1.0");
    const outcome = await talk(port, old).then((bytes) => bytes.toString("latin1"), () => "reset");
    assert.equal(outcome, "reset");
  });
});

describe("a request with a body that the client withholds", () => {
  it("leaves no connection on which the next request could be taken for that body", async () => {
    const { port } = await start(saying(HELLO));
    const head = "GET /file.txt HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" +
      "Content-Length: 60\r\n\r\n";
    const next = "GET /empty.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const { socket, received } = open(port);
    const ended = once(socket, "end");
    socket.write(head);
    await until(() => received().includes(TWENTY) || /^HTTP\/1\.1 100 /.test(received()), "a word");
    if (/^HTTP\/1\.1 100 /.test(received())) {
      // It is welcome now, and then the next request is answered.
      socket.write("x".repeat(60) + next);
      await until(() => received().split("HTTP/1.1 200").length === 3, "two answers");
    } else {
      assert.match(received(), /\r\nConnection: close\r\n/i);
      await ended;
      assert.equal(received().split("HTTP/1.1 200").length, 2);
    }
  });

  it("keeps the connection where the body has come all the same", async () => {
    const { port } = await start(saying(HELLO));
    const head = "GET /file.txt HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" +
      "Content-Length: 5\r\n\r\nhello";
    const last = "GET /empty.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert.equal((await text(port, head + last)).split("HTTP/1.1 200").length, 3);
  });
});

describe("a client that sends ahead", () => {
  it("has the whole time for each head", async () => {
    const limits = { headMs: 400 };
    const { port } = await start(saying(HELLO), {}, { limits } as Partial<FileServerOptions>);
    const request = "GET /empty.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    const { socket, received } = open(port);
    const middle = request.length >> 1;
    socket.write(request.slice(0, middle));
    // Each piece ends inside of a request.
    for (let i = 0; i < 30; i++) {
      await sleep(50);
      socket.write(request.slice(middle) + request.slice(0, middle));
    }
    socket.write(request.slice(middle));
    await until(() => received().split("HTTP/1.1 200").length === 32, `31 answers`);
    assert.doesNotMatch(received(), /HTTP\/1\.1 408/);
  });

  it("may send more behind a body in chunks than there is memory for requests", async () => {
    const { port, program } = await start((socket, request) => {
      if (request.endsWith("\r\n0\r\n\r\n")) socket.end(HELLO);
    });
    const { socket, received } = open(port);
    socket.write("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    await until(() => program.requests[0]?.endsWith("x\r\n") ?? false, "the body begins");
    const request = "GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    const count = Math.ceil(60_000 / request.length);
    socket.write("0\r\n\r\n" + request.repeat(count));
    await until(() => received().split(TWENTY).length === count + 1, "all answers");
    assert.ok(received().includes("hello"));
    assert.equal(program.requests.length, 1);
    // Not by end(): Node.js gives up a client that says no more.
    socket.write("GET /file.txt HTTP/1.0\r\nHost: a\r\n\r\n");
    await until(() => received().split(TWENTY).length === count + 2, "the server goes on");
  });
});
