import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type RequestEvent } from "../../../../src/http/mod.ts";
import * as sys from "../../../../src/sys/mod.ts";
import { openDescriptors, startThreads } from "../../../_kit/leaks.ts";
import { Listener, Peer } from "../../../_kit/peer.ts";
import { responses, talk } from "../../../_kit/raw_http.ts";
import { saying, startProgram } from "../_program.ts";
import { makeSite, patterned, SECRET, TWENTY } from "../_site.ts";
import { cleanUp, HELLO, open, start, text, until } from "./_rig.ts";

const MSG_OOB = 1;

describe("requests for a program behind the server", () => {
  it("are those that the folder cannot answer", async () => {
    const { port, program } = await start(saying(HELLO));
    const ask = (line: string, more = "") => text(port, `${line} HTTP/1.0\r\n${more}\r\n`);
    assert.match(await ask("GET /file.txt"), new RegExp(`${TWENTY}$`));
    assert.match(await ask("GET /dir/"), /<h1>dir<\/h1>$/);
    assert.equal(program.requests.length, 0);
    for (const line of ["GET /absent", "HEAD /absent", "POST /file.txt", "OPTIONS /", "FOO /x"]) {
      assert.match(await ask(line, "Content-Length: 0\r\n"), /^HTTP\/1\.1 200 OK\r\n/, line);
      assert.ok(program.requests.at(-1)!.startsWith(`${line} HTTP/1.1\r\n`), line);
    }
    const before = program.requests.length;
    for (const line of ["CONNECT a:1", "CONNECT /x", "TRACE /x", "OPTIONS *"]) {
      assert.match(await ask(line), /^HTTP\/1\.1 (405|400|204) /, line);
    }
    assert.match(await ask("GET /%zz"), /^HTTP\/1\.1 400 /);
    assert.equal(program.requests.length, before, "those are nobody's");
  });

  it("are those that belong to it, whatever is in the folder", async () => {
    const { port, program } = await start(saying(HELLO), {
      paths: ["/dir/", "/file"],
      notFound: false,
      methods: false,
    });
    const status = async (line: string) =>
      Number(
        (await text(port, `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).slice(9, 12),
      );
    assert.equal(await status("GET /dir/index.html"), 200);
    assert.equal(await status("GET http://a/file.txt?x=1"), 200);
    assert.match(program.requests[1]!, /^GET \/file\.txt\?x=1 HTTP\/1\.1\r\nHost: a\r\n/);
    assert.equal(program.requests.length, 2);
    assert.equal(await status("GET /absent"), 404);
    assert.equal(await status("POST /app.js"), 405);
    assert.equal(await status("GET /app.js"), 200);
    assert.equal(program.requests.length, 2);
  });

  it("arrive as they were sent, but for what concerns one hop and who asked", async () => {
    const { port, program } = await start(saying(HELLO));
    await text(
      port,
      "PUT /x%2Fy?q=%00 HTTP/1.1\r\nHost: example.org:80\r\nConnection: close, X-Hop, Host\r\n" +
        "X-Hop: 1\r\nCookie: a=b\r\nX-Forwarded-For: 6.6.6.6\r\nx_forwarded_for: 6.6.6.6\r\n" +
        "Forwarded: for=6.6.6.6\r\nTE: trailers\r\nKeep-Alive: x\r\nProxy: http://evil\r\n" +
        "Upgrade: h2c\r\nContent-Length: 5\r\nX-Empty:\r\n\r\nbody!",
    );
    assert.equal(
      program.requests[0],
      "PUT /x%2Fy?q=%00 HTTP/1.1\r\nHost: example.org:80\r\nCookie: a=b\r\nContent-Length: 5\r\n" +
        "X-Empty: \r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: example.org:80\r\n" +
        "X-Forwarded-Proto: http\r\nVia: 1.1 sluice\r\nConnection: close\r\n\r\nbody!",
    );
  });

  it("say who asked as they are told to", async () => {
    const request = "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n" +
      "X-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\nConnection: close\r\n\r\n";
    const append = await start(saying(HELLO), { forwarded: "append" });
    await text(append.port, request);
    assert.equal(
      append.program.requests[0],
      "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\n" +
        "X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\nX-Forwarded-Host: a\r\nVia: 1.1 sluice\r\n\r\n",
    );
    const none = await start(saying(HELLO), { forwarded: false });
    await text(none.port, request);
    assert.match(none.program.requests[0]!, /\r\nX-Forwarded-For: 1\.2\.3\.4\r\n/);
    assert.doesNotMatch(none.program.requests[0]!, /X-Forwarded-Host/);
  });

  it("keep their place among others on one connection, and the connection", async () => {
    const { port, program } = await start((socket, request) => {
      if (!request.includes("\r\n\r\n")) return;
      const name = /^\w+ (\S+)/.exec(request)![1]!;
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    });
    const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const order = ["/a", "/file.txt", "/bb", "/ccc", "/large.bin", "/dddd", "/app.js", "/e"];
    const post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET";
    const chunks = "POST /q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "3\r\nGET\r\n0\r\n\r\n";
    const all = order.map(get).join("") + post + chunks +
      "GET /file.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const methods = [...order.map(() => "GET"), "POST", "POST", "GET"];
    const answers = responses(await talk(port, all), methods);
    const bodies = answers.map(({ body }) => body.length > 1000 ? body.length : body.toString());
    assert.deepEqual(bodies.slice(0, 4), ["/a", TWENTY, "/bb", "/ccc"]);
    assert.deepEqual(bodies.slice(5, 6), ["/dddd"]);
    assert.deepEqual(bodies.slice(-4), ["/e", "/p", "/q", TWENTY]);
    assert.equal(answers.at(-2)!.headers.get("connection"), "keep-alive");
    const last = program.requests.at(-1)!;
    assert.ok(last.endsWith("\r\nConnection: close\r\n\r\n3\r\nGET\r\n0\r\n\r\n"), last);
  });

  it("and their answers may come cut at any byte", async () => {
    const { port } = await start((socket, request) => {
      if (!request.endsWith("0\r\n\r\n")) return;
      const answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n";
      socket.setNoDelay(true);
      let at = 0;
      const next = () => {
        if (at === answer.length) return socket.end();
        socket.write(answer[at++]!, "latin1", () => setImmediate(next));
      };
      next();
    });
    const request = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "3\r\nabc\r\n0\r\n\r\n";
    const { socket, received } = open(port);
    await once(socket, "connect");
    socket.setNoDelay(true);
    for (const byte of request) {
      socket.write(byte, "latin1");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => received().endsWith("\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"), received());
    assert.match(received(), /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK/);
    // The connection is there for the next one.
    socket.write("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => received().endsWith(TWENTY), received());
  });

  it("may be large, and so may their answers", async () => {
    const size = 20 * 1024 * 1024 + 7;
    const body = Buffer.from(patterned(size).buffer);
    const { port, server } = await start((socket, request) => {
      const at = request.indexOf("\r\n\r\n") + 4;
      if (request.length < at + size || socket.writableEnded) return;
      assert.ok(Buffer.from(request.slice(at), "latin1").equals(body));
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      socket.end(body);
    });
    const { socket } = open(port);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.write(
      `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`,
    );
    socket.write(body);
    await until(() => socket.readableEnded, "the end");
    const [answer] = responses(Buffer.concat(chunks), ["POST"]);
    assert.ok(answer!.body.equals(body));
    await until(() => server.stats().passed === 1, "it has been counted");
  });

  it("go on behind an urgent byte, which is nobody's", async () => {
    const pieces = [patterned(200_000), patterned(150_000, 1)];
    const body = Buffer.concat(pieces);
    const { port, program } = await start((socket, request) => {
      const at = request.indexOf("\r\n\r\n") + 4;
      if (at > 3 && request.length >= at + body.length) socket.end(HELLO, "latin1");
    });
    const client = Peer.connect({ family: "IPv4", address: "127.0.0.1", port });
    cleanUp.push(() => client.close());
    client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.send(pieces[0]!);
    const passed = () => (program.requests[0] ?? "").replace(/^[^]*?\r\n\r\n/, "");
    await until(() => passed().length === pieces[0]!.length, "the first piece is passed on");
    assert.equal(sys.raw.send(client.fd, new Uint8Array(1), MSG_OOB), 1);
    client.send(pieces[1]!);
    await until(() => !client.quiet, "the answer");
    client.receives("HTTP/1.1 200 OK");
    assert.ok(Buffer.from(passed(), "latin1").equals(body));
  });
});

describe("a program behind the server", () => {
  it("may send an urgent byte in an answer that ends with its connection", async () => {
    const site = makeSite();
    cleanUp.push(() => site.remove());
    const listener = new Listener();
    cleanUp.push(() => listener.close());
    const { port: to } = listener.address as { port: number };
    const server = createFileServer({ root: site.root, fallback: { to: `127.0.0.1:${to}` } });
    cleanUp.push(() => server.close({ graceMs: 0 }));
    const { port } = await server.listen();
    const behind = patterned(10_000);
    for (let round = 0; round < 10; round++) {
      const client = Peer.connect({ family: "IPv4", address: "127.0.0.1", port });
      cleanUp.push(() => client.close());
      client.send("GET /x HTTP/1.0\r\n\r\n");
      const program = listener.accept();
      program.receive(20);
      program.send("HTTP/1.1 200 OK\r\n\r\nabc");
      assert.equal(sys.raw.send(program.fd, new Uint8Array(1), MSG_OOB), 1);
      program.send(behind);
      program.end();
      client.receives("HTTP/1.1 200 OK\r\n");
      let head = "";
      while (!head.endsWith("\r\n\r\n")) head += Buffer.from(client.receive(1)).toString("latin1");
      client.receives("abc");
      assert.ok(Buffer.from(client.receive(behind.length)).equals(Buffer.from(behind)));
      client.receivesEnd();
      program.close();
    }
  });

  it("that is not there is told of with 502, and the connection goes on", async () => {
    const { port, program } = await start(saying(HELLO));
    await program.close();
    const request =
      "GET /absent HTTP/1.1\r\nHost: a\r\n\r\nHEAD /absent HTTP/1.1\r\nHost: a\r\n\r\n" +
      "GET /file.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const [first, second, third] = responses(await talk(port, request), ["GET", "HEAD", "GET"]);
    assert.equal(first!.status, 502);
    assert.equal(first!.body.toString(), "502 Bad Gateway\n");
    assert.equal(second!.status, 502);
    assert.equal(third!.body.toString(), TWENTY);
  });

  it("that answers no HTTP, or half of it, is told of with 502", async () => {
    const answers = [
      "",
      "220 mail.example.org ESMTP\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n",
      `HTTP/1.1 200 OK\r\nA: ${"x".repeat(100_000)}`,
      "HTTP/1.1 100 Continue\r\n\r\n".repeat(100),
    ];
    for (const answer of answers) {
      const { port } = await start(saying(answer));
      const got = await text(port, "GET /x HTTP/1.0\r\n\r\n");
      assert.match(got, /^HTTP\/1\.1 502 Bad Gateway\r\n/, answer.slice(0, 60));
    }
  });

  it("that breaks off is no answer that looks complete", async () => {
    const heads = [
      "Content-Length: 10\r\n\r\nhello",
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhel",
    ];
    for (const head of heads) {
      const { port, server } = await start(saying(`HTTP/1.1 200 OK\r\n${head}`));
      const got = await text(
        port,
        "GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n",
      );
      assert.ok(got.includes("hello") && !got.includes(TWENTY), got);
      await until(() => server.stats().aborted === 1, "it has been counted");
    }
  });

  it("that ends its answer with the connection does so for the client too", async () => {
    const { port } = await start(saying("HTTP/1.0 200 OK\r\nA: b\r\n\r\nup to the end"));
    const got = await text(
      port,
      "GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert.match(got, /\r\nConnection: close\r\n\r\nup to the end$/);
  });

  it("that answers before it has read everything is heard, and nothing else is read as a request", async () => {
    const { port } = await start((socket, request) => {
      if (!request.includes("\r\n\r\n") || socket.writableEnded) return;
      socket.end("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    const { socket, received } = open(port);
    socket.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    await until(() => received().includes("\r\n\r\n"), "an answer");
    socket.write("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => socket.readableEnded, "the end");
    assert.match(received(), /^HTTP\/1\.1 413 Too Large\r\n.*Connection: close\r\n\r\n$/s);
  });

  it("that says nothing is given up with 504, a client that says nothing with 408", async () => {
    const { port, program } = await start(() => {}, { silenceMs: 300 });
    assert.match(await text(port, "GET /x HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 504 /);
    const slow = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
    assert.match(await text(port, slow), /^HTTP\/1\.1 408 /);
    await until(() => program.open.size === 0, "no connection is left");
  });

  it("is rid of requests whose clients are gone", async () => {
    const { port, program } = await start(() => {});
    const { socket } = open(port);
    socket.write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => program.open.size === 1, "it has been asked");
    socket.resetAndDestroy();
    await until(() => program.open.size === 0, "it need not answer");
  });

  it("is asked to continue, and says so", async () => {
    const { port } = await start((socket, request) => {
      if (request.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      if (request.endsWith("body!")) socket.end(HELLO);
    });
    const { socket, received } = open(port);
    socket.write("PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    await until(() => received() === "HTTP/1.1 100 Continue\r\n\r\n", "it may go on");
    socket.write("body!");
    await until(() => received().endsWith("hello"), "the answer");
  });

  it("may listen on a Unix socket", async () => {
    const site = makeSite();
    cleanUp.push(() => site.remove());
    const path = `${site.parent}/program.sock`;
    const program = await startProgram(saying(HELLO), path);
    cleanUp.push(() => program.close());
    const server = createFileServer({ root: site.root, fallback: `unix:${path}` });
    cleanUp.push(() => server.close({ graceMs: 0 }));
    const { port } = await server.listen();
    assert.match(await text(port, "GET /x HTTP/1.0\r\n\r\n"), /hello$/);
  });
});

describe("a WebSocket", () => {
  const upgrade = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
  const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\nfirst";

  it("is passed through in both directions, and ends as either side ends it", async () => {
    const { port, program, server } = await start((socket, request) => {
      if (request.endsWith("\r\n\r\n")) socket.write(accepted);
      if (request.endsWith("ping")) socket.write("pong");
    });
    const { socket, received } = open(port);
    socket.write(`${upgrade}early`);
    await until(() => received().endsWith("first"), "it is open");
    assert.match(
      received(),
      /^HTTP\/1\.1 101 .*\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/s,
    );
    socket.write("ping");
    await until(() => received().endsWith("pong"), "an echo");
    assert.match(
      program.requests[0]!,
      /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearlyping$/,
    );
    socket.end();
    await until(() => socket.readableEnded, "the end");
    await until(() => server.stats().open === 0 && program.open.size === 0, "all is closed");
  });

  it("that is refused is an answer like others", async () => {
    const { port } = await start(saying("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
    const got = await text(port, `${upgrade}GET /file.txt HTTP/1.0\r\n\r\n`);
    assert.match(got, /^HTTP\/1\.1 403 Forbidden\r\n.*\r\n\r\nnoHTTP\/1\.1 200 OK/s);
  });

  it("is the only protocol that is passed on, and only where it was asked for", async () => {
    const { port, program } = await start(saying(accepted));
    const h2c = upgrade.replace("websocket", "h2c");
    for (
      const request of [h2c, upgrade.replace(", Upgrade", ""), "GET /x HTTP/1.0\r\n\r\n"]
    ) {
      assert.match(await text(port, request.replace("keep-alive", "close")), /^HTTP\/1\.1 502 /);
      assert.doesNotMatch(program.requests.at(-1)!, /upgrade/i);
    }
  });
});

describe("the server before a program", () => {
  it("tells of these requests in log and counts", async () => {
    const events: RequestEvent[] = [];
    const { port, server } = await start(saying(HELLO), {}, { onRequest: (e) => events.push(e) });
    await text(port, "GET /x HTTP/1.0\r\nUser-Agent: me\r\n\r\n");
    await text(port, "GET /file.txt HTTP/1.0\r\n\r\n");
    await until(() => events.length === 2, "two events");
    const [first, second] = events;
    assert.deepEqual(
      [first!.status, first!.bytes, first!.transfer, first!.state, first!.target, first!.userAgent],
      [200, 5, "relay", "done", "/x", "me"],
    );
    assert.deepEqual([second!.bytes, second!.transfer], [20, "memory"]);
    await until(() => server.stats().requests === 2, "both have been counted");
    const { passed, statuses } = server.stats();
    assert.deepEqual([passed, statuses["2xx"]], [1, 2]);
  });

  it("lets their answers end when it closes", async () => {
    let answer: (() => void) | undefined;
    const { port, server } = await start((socket, request) => {
      if (request.includes("\r\n\r\n")) answer = () => void socket.end(HELLO);
    });
    const { socket, received } = open(port);
    socket.write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => answer !== undefined, "it has been asked");
    const idle = open(port);
    idle.socket.write("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => idle.received().endsWith(TWENTY), "a file");
    const closing = server.close({ graceMs: 60_000 });
    // Those that wait for nothing are closed: the threads have heard of it.
    await until(() => idle.socket.readableEnded, "the end of an idle connection");
    answer!();
    await closing;
    await until(() => received().endsWith("hello"), "the answer");
    assert.match(received(), /\r\nConnection: close\r\n/);
  });

  it("cuts them after the time that it was given", async () => {
    const { port, program, server } = await start(() => {});
    const { socket, received } = open(port);
    socket.write("GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => program.open.size === 1, "it has been asked");
    await server.close({ graceMs: 100 });
    await until(() => socket.destroyed || socket.readableEnded, "the end");
    assert.equal(received(), "");
  });

  it("leaves no descriptor behind", async () => {
    await startThreads();
    const run = async () => {
      const body = "x".repeat(300_000);
      const { port, program, server } = await start((socket, request) => {
        if (request.includes("/silent") || !request.includes("\r\n\r\n")) return;
        if (!socket.writableEnded) {
          socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${body}`);
        }
      });
      for (let i = 0; i < 5; i++) {
        await text(port, `POST /x HTTP/1.0\r\nContent-Length: 300000\r\n\r\n${body}`);
        const { socket } = open(port);
        socket.write("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
        await until(() => program.open.size > 0, "it has been asked");
        socket.resetAndDestroy();
        await until(() => program.open.size === 0, "it need not answer");
      }
      await program.close();
      await text(port, "GET /x HTTP/1.0\r\n\r\n");
      await server.close({ graceMs: 0 });
    };
    await run();
    const before = openDescriptors().length;
    await run();
    for (let i = 0; i < 500 && openDescriptors().length > before; i++) await sleep(10);
    assert.ok(openDescriptors().length <= before, openDescriptors().join());
  });

  it("refuses options that make no sense", () => {
    const wrong: [unknown, ErrorConstructor][] = [
      [5, TypeError],
      ["nowhere", TypeError],
      [{ to: "127.0.0.1:99999" }, RangeError],
      [{ to: ":80", paths: "/api" }, TypeError],
      [{ to: ":80", paths: ["api"] }, TypeError],
      [{ to: ":80", notFound: 1 }, TypeError],
      [{ to: ":80", forwarded: true }, TypeError],
      [{ to: ":80", silenceMs: 0 }, RangeError],
      [{ to: ":80", keepAlive: true }, TypeError],
      [{ to: ":80", keepAlive: 0.5 }, RangeError],
      [{ to: ":80", keepAlive: -1 }, RangeError],
      [{ to: ":80", keepAlive: 1025 }, RangeError],
    ];
    for (const [fallback, error] of wrong) {
      assert.throws(
        () => createFileServer({ root: ".", fallback: fallback as string }),
        error,
        JSON.stringify(fallback),
      );
    }
  });

  it("never sends what lies outside of the root", async () => {
    const { port } = await start(saying(HELLO));
    for (const target of ["/../outside.txt", "/link.txt", "/%2e%2e/outside.txt", "/linked/x"]) {
      const got = await text(port, `GET ${target} HTTP/1.0\r\n\r\n`);
      assert.ok(!got.includes(SECRET), target);
    }
  });
});
