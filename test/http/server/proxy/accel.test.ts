import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type FileServer, type RequestEvent } from "../../../../src/http/mod.ts";
import type { FallbackOptions } from "../../../../src/http/server/proxy/options.ts";
import type { FileServerOptions } from "../../../../src/http/server/control/options.ts";
import { CERTIFICATE, KEY } from "../../../_kit/certificate.ts";
import { openDescriptors } from "../../../_kit/leaks.ts";
import { type RawResponse, requestText, responses, talk } from "../../../_kit/raw_http.ts";
import { type Program, saying, type Script, startProgram } from "../_program.ts";
import { LARGE_BYTES, makeSite, patterned, SECRET, TWENTY } from "../_site.ts";
import { secureClient, secureTalk } from "../_tls.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

/** An answer that names a file, with a body that must not be seen. */
function naming(target: string, more = ""): string {
  return `HTTP/1.1 200 OK\r\nX-Accel-Redirect: ${target}\r\n${more}Content-Length: 9\r\n\r\nnot this!`;
}

interface Started {
  readonly port: number;
  readonly program: Program;
  readonly server: FileServer;
  readonly events: RequestEvent[];
  get(target?: string, headers?: Record<string, string>, method?: string): Promise<RawResponse>;
  talk(text: string): Promise<Buffer>;
}

/** A server before a program; `/app` and everything below `/private/` is the program's. */
async function start(
  answer: string | Script,
  fallback: Partial<FallbackOptions> = {},
  options: Partial<FileServerOptions> = {},
): Promise<Started> {
  const program = await startProgram(typeof answer === "string" ? saying(answer) : answer);
  cleanUp.push(() => program.close());
  const site = makeSite();
  cleanUp.push(() => site.remove());
  mkdirSync(join(site.root, "private"));
  writeFileSync(join(site.root, "private", "report.html"), "the report");
  const events: RequestEvent[] = [];
  const server = createFileServer({
    root: site.root,
    fallback: {
      to: `127.0.0.1:${program.port}`,
      accel: true,
      paths: ["/app", "/private/"],
      ...fallback,
    },
    onRequest: (event) => void (event.state !== "running" && events.push(event)),
    ...options,
  });
  cleanUp.push(() => server.close({ graceMs: 0 }));
  const { port } = await server.listen();
  const send = (text: string) => options.tls ? secureTalk(port, text) : talk(port, text);
  return {
    port,
    program,
    server,
    events,
    talk: send,
    async get(target = "/app", headers = {}, method = "GET") {
      const text = requestText(target, { Connection: "close", ...headers }, method);
      return responses(await send(text), [method])[0]!;
    },
  };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++, await sleep(10)) if (holds()) return;
  assert.fail(what);
}

const SECURE = { tls: { cert: CERTIFICATE, key: KEY } };

for (const [scheme, options] of [["http", {}], ["https", SECURE]] as const) {
  describe(`X-Accel-Redirect over ${scheme}`, () => {
    it("has the server send the file", async () => {
      const { events, get, program, server } = await start(naming("/file.txt"), {}, options);
      const { body, headers, status } = await get();
      assert.deepEqual([status, body.toString()], [200, TWENTY]);
      assert.equal(headers.get("content-length"), "20");
      assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(headers.get("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
      assert.match(headers.get("etag")!, /^"/);
      assert.equal(headers.get("accept-ranges"), "bytes");
      assert.equal(headers.has("x-accel-redirect"), false);
      assert.match(program.requests[0]!, new RegExp(`X-Forwarded-Proto: ${scheme}\r\n`));
      await until(() => events.length === 1 && program.open.size === 0, "No event");
      const { bytes, state, target, total } = events[0]!;
      assert.deepEqual([bytes, state, target, total], [20, "done", "/app", 20]);
      assert.equal(events[0]!.status, 200);
      const { aborted, passed, requests, statuses } = server.stats();
      assert.deepEqual([aborted, passed, requests, statuses["2xx"]], [0, 1, 1, 1]);
    });

    it("knows ranges, conditions and HEAD", async () => {
      const { get } = await start(naming("/file.txt"), {}, options);
      const part = await get("/app", { Range: "bytes=5-9" });
      assert.deepEqual([part.status, part.body.toString()], [206, "56789"]);
      assert.equal(part.headers.get("content-range"), "bytes 5-9/20");
      assert.equal((await get("/app", { Range: "bytes=20-" })).status, 416);
      const several = await get("/app", { Range: "bytes=0-1,5-6" });
      assert.match(several.headers.get("content-type")!, /^multipart\/byteranges; boundary=/);
      const head = await get("/app", {}, "HEAD");
      assert.deepEqual([head.status, head.headers.get("content-length")], [200, "20"]);
      const etag = head.headers.get("etag")!;
      const same = await get("/app", { "If-None-Match": etag });
      assert.deepEqual([same.status, same.headers.get("etag")], [304, etag]);
      assert.equal((await get("/app", { "If-Match": '"x"' })).status, 412);
      const resumed = await get("/app", { "If-Range": etag, Range: "bytes=18-" });
      assert.deepEqual([resumed.status, resumed.body.toString()], [206, "IJ"]);
      const posted = await get("/app", { "Content-Length": "0", Range: "bytes=0-0" }, "POST");
      assert.deepEqual([posted.status, posted.body.toString()], [206, "0"]);
    });

    it("sends a large file whole, and goes on", async () => {
      const { events, program, talk } = await start(naming("/large.bin"), {}, options);
      const close = { Connection: "close" };
      const text = requestText("/app") + requestText("/file.txt") +
        requestText("/app", { Range: "bytes=1000000-5000000" }) + requestText("/file.txt", close);
      const answers = responses(await talk(text), ["GET", "GET", "GET", "GET"]);
      assert.deepEqual(answers.map(({ status }) => status), [200, 200, 206, 200]);
      const large = patterned(LARGE_BYTES);
      assert.ok(answers[0]!.body.equals(large));
      assert.ok(answers[2]!.body.equals(large.subarray(1_000_000, 5_000_001)));
      assert.equal(answers[3]!.body.toString(), TWENTY);
      assert.equal(program.requests.length, 2);
      await until(() => events.length === 4 && program.open.size === 0, "No events");
      assert.deepEqual(events.map(({ bytes }) => bytes), [LARGE_BYTES, 20, 4_000_001, 20]);
      assert.ok(events.every(({ state }) => state === "done"));
    });

    it("keeps the connection behind a body, unless the body is not there", async () => {
      const { program, talk } = await start(naming("/file.txt"), {}, options);
      const post = requestText("/app", { "Content-Length": "3" }, "POST") + "abc";
      const last = requestText("/file.txt", { Connection: "close" });
      const answers = responses(await talk(post + last), ["POST", "GET"]);
      assert.deepEqual(answers.map(({ body }) => body.toString()), [TWENTY, TWENTY]);
      assert.ok(program.requests[0]!.endsWith("abc"));
      const unfinished = requestText("/app", { "Content-Length": "10" }, "POST") + "abc";
      const [only] = responses(await talk(unfinished), ["POST"]);
      assert.equal(only!.body.toString(), TWENTY);
      assert.equal(only!.headers.get("connection"), "close");
    });

    it("notices a client that leaves during the file", async () => {
      const before = openDescriptors();
      const { events, port, program, server } = await start(naming("/sparse"), {}, options);
      const socket = options === SECURE
        ? await secureClient(port)
        : (await import("node:net")).connect({ port, host: "127.0.0.1" });
      socket.on("error", () => {});
      socket.write(requestText("/app"));
      await once(socket, "data");
      socket.destroy();
      await until(() => events.length === 1, "No event");
      const { bytes, state, status, total } = events[0]!;
      assert.deepEqual([state, status, total], ["aborted", 200, 5 * 2 ** 30]);
      assert.ok(bytes > 0 && bytes < total);
      await until(() => server.stats().aborted === 1, "The server has not counted it");
      await until(() => program.open.size === 0, "The program's connection is open");
      for (const undo of cleanUp.splice(0).reverse()) await undo();
      await until(() => openDescriptors() <= before, "Descriptors are left open");
    });
  });
}

describe("X-Accel-Redirect", () => {
  it("takes over what the program says of the file, and nothing else", async () => {
    const more = "Content-Type: application/pdf\r\nContent-Disposition: attachment\r\n" +
      "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nCache-Control: no-cache\r\ncache-control: private\r\n" +
      'Expires: 0\r\nETag: "theirs"\r\nLast-Modified: never\r\nX-Else: 1\r\nContent-Encoding: br\r\n';
    const { get, talk } = await start(naming("/file.txt", more), {}, { maxAge: "1d" });
    const { headers } = await get();
    assert.equal(headers.get("content-type"), "application/pdf");
    assert.equal(headers.get("content-disposition"), "attachment");
    assert.equal(headers.get("cache-control"), "no-cache, private");
    assert.equal(headers.get("expires"), "0");
    assert.notEqual(headers.get("etag"), '"theirs"');
    assert.equal(headers.has("x-else") || headers.has("content-encoding"), false);
    const text = (await talk(requestText("/app", { Connection: "close" }))).toString("latin1");
    assert.match(text, /\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n/);
    const several = await get("/app", { Range: "bytes=0-1,5-6" });
    assert.match(several.body.toString(), /Content-Type: application\/pdf/i);
    const same = await get("/app", { "If-None-Match": headers.get("etag")! });
    assert.deepEqual(
      ["content-type", "cache-control", "set-cookie"].map((name) => same.headers.get(name)),
      [undefined, "no-cache, private", "b=2"],
    );
  });

  it("does not let caches share a file that the program has said nothing of", async () => {
    const { get } = await start(naming("/file.txt"), {}, { maxAge: "1d" });
    assert.equal((await get()).headers.get("cache-control"), "private, no-cache");
    assert.equal((await get("/file.txt")).headers.get("cache-control"), "public, max-age=86400");
    const expiring = await start(naming("/file.txt", "Expires: 0\r\n"));
    assert.equal((await expiring.get()).headers.has("cache-control"), false);
  });

  it("sends no ranges where the program says so", async () => {
    const { get } = await start(naming("/file.txt", "Accept-Ranges: none\r\n"));
    const { body, headers, status } = await get("/app", { Range: "bytes=0-1" });
    assert.deepEqual([status, body.length, headers.get("accept-ranges")], [200, 20, "none"]);
  });

  it("sends sidecars", async () => {
    const { get } = await start(naming("/app.js"), {}, { precompressed: ["br"] });
    const { body, headers } = await get("/app", { "Accept-Encoding": "br" });
    assert.deepEqual([body.toString(), headers.get("content-encoding")], ["br", "br"]);
    assert.equal(headers.get("vary"), "Accept-Encoding");
  });

  it("reaches files that clients do not", async () => {
    const script: Script = (socket, text) => {
      if (text.startsWith("GET /private/")) {
        socket.end("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
      } else saying(naming("/private/report.html"))(socket, text);
    };
    const { get } = await start(script);
    assert.equal((await get()).body.toString(), "the report");
    for (const target of ["/private/report.html", "/private/", "http://localhost/private/a"]) {
      assert.equal((await get(target)).status, 403, target);
    }
  });

  it("finds nothing outside of the root, and nothing but files", async () => {
    let answer = "";
    const { get, program } = await start((socket, text) => saying(naming(answer))(socket, text));
    for (
      const target of [
        ...["/../outside.txt", "/%2e%2e/outside.txt", "/dir/../file.txt", "//file.txt", "/a%2fb"],
        ...["/link.txt", "/linked/x", "/etc/passwd", "/.hidden", "/missing", "/dir", "/dir/", "/"],
        ...["file.txt", "@named", "http://localhost/file.txt", "*", "/file.txt/", "/%", "/a b.txt"],
        ...["/file.txt#a", "/%66ile.txt", "/\\file.txt", "/%00", "/ü", ""],
      ]
    ) {
      answer = target;
      const { body, headers, status } = await get();
      assert.equal(status, 404, target);
      assert.equal(headers.has("x-accel-redirect"), false);
      assert.equal(body.toString(), "404 Not Found\n");
      assert.notEqual(body.toString(), SECRET);
    }
    answer = "/a%20b.txt?x=1";
    assert.equal((await get()).body.toString(), "a space in its name");
    answer = "/dir/deep/%C3%BC.txt";
    assert.equal((await get()).body.toString(), "deep");
    const asked = program.requests.length;
    answer = "/missing";
    assert.equal((await get()).status, 404);
    // The server does not ask the program for the file that the program has named.
    assert.equal(program.requests.length, asked + 1);
  });

  it("obeys the rules of the site for hidden files", async () => {
    const { get } = await start(naming("/.hidden"), {}, { dotfiles: "deny" });
    assert.equal((await get()).status, 403);
  });

  it("is honoured below a path only", async () => {
    let answer = "/private/report.html";
    const script: Script = (socket, text) => saying(naming(answer))(socket, text);
    const { get } = await start(script, { accel: "/private/" });
    assert.equal((await get()).body.toString(), "the report");
    for (answer of ["/file.txt", "/privat", "/private", "/private/../file.txt"]) {
      assert.equal((await get()).status, 404, answer);
    }
  });

  it("is not honoured unless it is switched on", async () => {
    const { get } = await start(naming("/file.txt"), { accel: false });
    const { body, headers } = await get();
    assert.equal(body.toString(), "not this!");
    assert.equal(headers.get("x-accel-redirect"), "/file.txt");
    for (const accel of ["private/", "/private", "/a/../b/", "/a?/", 1] as never[]) {
      const options = { root: ".", fallback: { to: ":1", accel } };
      assert.throws(() => createFileServer(options), TypeError, String(accel));
    }
  });

  it("is nothing that a client can say", async () => {
    const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const { get, program } = await start(hello);
    const answer = await get("/app", {
      "X-Accel-Redirect": "/file.txt",
      "X-Accel-Mapping": "/=/private/",
      "X-Sendfile-Type": "X-Accel-Redirect",
      "x_sendfile_type": "X-Accel-Redirect",
      "X-Kept": "1",
    });
    assert.equal(answer.body.toString(), "hello");
    assert.match(program.requests[0]!, /X-Kept: 1/);
    assert.doesNotMatch(program.requests[0]!, /accel|sendfile/i);
  });

  it("that stands twice is no answer", async () => {
    const { get } = await start(naming("/file.txt", "x-accel-redirect: /app.js\r\n"));
    assert.equal((await get()).status, 502);
  });

  it("counts behind an interim answer, and not in one", async () => {
    const interim = "HTTP/1.1 103 Early\r\nX-Accel-Redirect: /app.js\r\nLink: <a>\r\n\r\n";
    const { talk } = await start(interim + naming("/file.txt"));
    const text = (await talk(requestText("/app", { Connection: "close" }))).toString("latin1");
    assert.match(text, /^HTTP\/1\.1 103 Early\r\nLink: <a>\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(text, /x-accel/i);
    assert.ok(text.endsWith(TWENTY));
  });

  it("answers a client of HTTP/1.0", async () => {
    const { talk } = await start(naming("/file.txt"));
    const text = (await talk(
      "GET /app HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" +
        "GET /app HTTP/1.0\r\n\r\n",
    )).toString("latin1");
    assert.equal(text.match(/^Connection: keep-alive\r$/gm)?.length, 1);
    assert.equal(text.match(/^Connection: close\r$/gm)?.length, 1);
  });

  it("ends the program's connection, however long its own body is", async () => {
    const head = "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /file.txt\r\n\r\n";
    const { get, program } = await start((socket, text) => {
      if (!text.includes("\r\n\r\n")) return;
      socket.write(head);
      const timer = setInterval(() => socket.write("x".repeat(1000)), 1);
      socket.on("close", () => clearInterval(timer));
    });
    assert.equal((await get()).body.toString(), TWENTY);
    await until(() => program.open.size === 0, "The program's connection stays open");
  });

  it("tells the log how long all of it took", async () => {
    const { events, get } = await start((socket, text) => {
      setTimeout(() => saying(naming("/file.txt"))(socket, text), 300);
    });
    await get();
    await until(() => events.length === 1, "No event");
    assert.ok(events[0]!.durationMs >= 290, String(events[0]!.durationMs));
  });
});
