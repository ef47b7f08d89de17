import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { CHUNKED } from "../../../../src/http/server/parser/message_rules.ts";
import { RequestHead } from "../../../../src/http/server/parser/request_head.ts";
import { Method } from "../../../../src/http/server/parser/request_line.ts";
import { INCOMPLETE } from "../../../../src/http/server/parser/syntax.ts";

const LIMITS = { maxTargetBytes: 200, maxHeadBytes: 1000, maxFields: 10 };
const NO_LLHTTP = "Bun" in globalThis || "Deno" in globalThis
  ? "this runtime parses by something else than llhttp"
  : false;

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

function parse(text: string, limits = LIMITS): { result: number; head: RequestHead } {
  const head = new RequestHead(limits);
  const bytes = bytesOf(text);
  return { result: head.parse(bytes, 0, bytes.length), head };
}

function refused(text: string, status: number): void {
  assert.equal(parse(text).result, -status, JSON.stringify(text));
}

const get = (fields: string, line = "GET / HTTP/1.1") => `${line}\r\n${fields}\r\n`;
const HOST = "Host: a\r\n";

describe("RequestHead.parse()", () => {
  it("finds the parts of a request, and where it ends", () => {
    const text = get(`${HOST}X-A:  b c\t\r\nx-a:d\r\nEmpty:\r\n`, "GET /a%20b?c=d HTTP/1.1");
    const { result, head } = parse(`${text}GET`);
    assert.equal(result, text.length);
    assert.equal(head.method, Method.GET);
    assert.equal(head.methodName, "GET");
    assert.equal(head.target, "/a%20b?c=d");
    assert.equal(head.pathEnd - head.targetStart, "/a%20b".length);
    assert.equal(head.header("host"), "a");
    assert.equal(head.header("x-a"), "b c, d");
    assert.equal(head.header("empty"), "");
    assert.equal(head.header("range"), undefined);
    assert.equal(head.header("__proto__"), undefined);
    assert.deepEqual(head.headers()[1], ["X-A", "b c"]);
    assert.equal(head.keepAlive, true);
    assert.equal(head.bodyLength, 0);
  });

  it("asks for more at every byte before the end, and forgets nothing at the last", () => {
    const text = "\r\n" + get(`${HOST}Range: bytes=0-1\r\n`, "HEAD /x HTTP/1.1");
    const bytes = bytesOf(text);
    const head = new RequestHead(LIMITS);
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(head.parse(bytes, 0, end), INCOMPLETE);
    }
    assert.equal(head.parse(bytes, 0, bytes.length), bytes.length);
    assert.equal(head.method, Method.HEAD);
    assert.equal(head.header("range"), "bytes=0-1");
  });

  it("knows whether the connection stays", () => {
    const stays = (fields: string, line?: string) => parse(get(HOST + fields, line)).head.keepAlive;
    assert.equal(stays(""), true);
    assert.equal(stays("Connection: close\r\n"), false);
    assert.equal(stays("Connection: Keep-Alive\r\n"), true);
    assert.equal(stays("connection: upgrade, CLOSE\r\n"), false);
    assert.equal(stays("Connection: keep-alive\r\nConnection: close\r\n"), false);
    assert.equal(stays("", "GET / HTTP/1.0"), false);
    assert.equal(stays("Connection: keep-alive\r\n", "GET / HTTP/1.0"), true);
  });

  it("measures the body", () => {
    const length = (fields: string) => parse(get(HOST + fields)).head.bodyLength;
    assert.equal(length("Content-Length: 0\r\n"), 0);
    assert.equal(length("Content-Length: 0012\r\n"), 12);
    assert.equal(length("Transfer-Encoding: Chunked\r\n"), CHUNKED);
  });

  it("refuses two lengths, and a length that is none", () => {
    for (
      const fields of [
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        ...["+5", "0x5", "5, 5", "-1", "1e3", "", " ", "5 5", "١"].map((v) =>
          `Content-Length: ${Buffer.from(v).toString("latin1")}\r\n`
        ),
        ...[
          "xchunked",
          "chunked, identity",
          "identity",
          "gzip, chunked",
          "chunked\x0b",
          "\x0bchunked",
        ]
          .map((v) => `Transfer-Encoding: ${v}\r\n`),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      ]
    ) refused(get(HOST + fields), 400);
    refused(get(`${HOST}Content-Length: 18446744073709551616\r\n`), 413);
    refused(get(`${HOST}Transfer-Encoding: chunked\r\n`, "GET / HTTP/1.0"), 400);
  });

  it("refuses what some readers take for the end of a line, and what they leave out", () => {
    for (
      const text of [
        get(`${HOST}A : b\r\n`),
        get(`${HOST}A: b\r\n c\r\n`),
        get(`${HOST}A: b\r\n\tc\r\n`),
        get(`${HOST} A: b\r\n`),
        get(`${HOST}A: b\rc\r\n`),
        get(`${HOST}A: b\nB: c\r\n`),
        get(`${HOST}A: b\0c\r\n`),
        get(`${HOST}A: \x7f\r\n`),
        get(`${HOST}: b\r\n`),
        get(`${HOST}A\r\n`),
        get(`${HOST}A\x80: b\r\n`),
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "\r\n\r\n" + get(HOST),
        "\n" + get(HOST),
        " " + get(HOST),
      ]
    ) refused(text, 400);
  });

  it("refuses a request line that is none", () => {
    for (
      const line of [
        "GET  / HTTP/1.1",
        "GET /",
        "GET / HTTP/1.1 ",
        "GET /a b HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /\xff HTTP/1.1",
        "GET /#a HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / HTTP/1.1\t",
        "GET / http/1.1",
        "GET / HTTP/1.10",
        "GET / HTTP/11",
        "G(T / HTTP/1.1",
      ]
    ) refused(get(HOST, line), 400);
    refused(get(HOST, "GET / HTTP/2.0"), 505);
    refused(get(HOST, "GET / HTTP/0.9"), 505);
    refused(get(HOST, "GET / HTTP/1.2"), 505);
  });

  it("wants one Host, and a valid one; HTTP/1.0 may have none", () => {
    refused(get(""), 400);
    refused(get(HOST + HOST), 400);
    for (
      const host of [
        "a,b",
        "a b",
        "a/b",
        "u@a",
        "a?b",
        "a#b",
        "a\xff",
        "<a>",
        "[::1",
        "[::1]x",
        "a]",
        "a:b",
        "a:1:2",
        "::1",
        "a%2fb",
        "a\\b",
      ]
    ) {
      refused(get(`Host: ${host}\r\n`), 400);
    }
    assert.ok(parse(get("", "GET / HTTP/1.0")).result > 0);
    assert.ok(parse(get("Host: [::1]:8080\r\n")).result > 0);
    assert.ok(parse(get("Host: [::1]\r\n")).result > 0);
    assert.ok(parse(get("Host: a.example.:80\r\n")).result > 0);
    assert.ok(parse(get("Host: a_b~c!$&'()*+;=d:80\r\n")).result > 0);
    assert.ok(parse(get("Host:\r\n")).result > 0);
  });

  it("takes no range where there are two, and never one list of both", () => {
    const { head } = parse(get(`${HOST}Range: bytes=0-1\r\nRange: 5-6\r\n`));
    assert.equal(head.header("range"), undefined);
  });

  it("holds to its limits", () => {
    refused(get(HOST, `GET /${"a".repeat(200)} HTTP/1.1`), 414);
    refused(`GET /${"a".repeat(200)}`, 414);
    assert.ok(parse(get(HOST, `GET /${"a".repeat(199)} HTTP/1.1`)).result > 0);
    refused(get(`${HOST}A: ${"b".repeat(1000)}\r\n`), 431);
    refused(`GET / HTTP/1.1\r\nA: ${"b".repeat(1000)}`, 431);
    refused(get(HOST + "A:b\r\n".repeat(10)), 431);
    refused("G".repeat(1001), 400);
  });
});

/** Pieces of which heads are made: most of them right, some of them wrong. */
const METHOD = fc.constantFrom("GET", "HEAD", "POST", "OPTIONS", "GE T", "", "G(T");
const TARGET = fc.constantFrom("/", "/a?b=c", "/%41", "*", "http://a/b", "//x", "/\0", "/ ", "/é");
const VERSION = fc.constantFrom(
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "http/1.1",
);
const NAME = fc.constantFrom(
  ...["Host", "host", "Connection", "Content-Length", "Transfer-Encoding", "Range", "X-A", "A "],
  ...["", "A\x80", "Accept", "__proto__", "Expect"],
);
const VALUE = fc.constantFrom(
  ...["a", "localhost:80", "close", "keep-alive", "0", "5", "+5", "5,5", "chunked", "xchunked"],
  ...["bytes=0-1", "", " b ", "\t", "a\0", "a\rb", "a\nb", "é", "chunked, identity", "a\r\n b"],
);
const END = fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ");
const HEAD = fc.tuple(
  METHOD,
  TARGET,
  VERSION,
  fc.array(fc.tuple(NAME, fc.constantFrom(":", ": ", ":", " : ", ""), VALUE, END), {
    maxLength: 4,
  }),
  fc.boolean(),
).map(([method, target, version, fields, host]) =>
  `${method} ${target} ${version}\r\n${host ? "Host: a\r\n" : ""}` +
  `${fields.map((field) => field.join("")).join("")}\r\n`
);

describe("RequestHead beside llhttp", () => {
  let port = 0;
  let seen: IncomingMessage | undefined;
  const server = createServer((request, response) => {
    seen = request;
    response.shouldKeepAlive = false;
    response.end();
  });
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  server.on("clientError", (_error, socket) => socket.destroy());

  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  after(() => server.close());

  async function byNode(text: string): Promise<IncomingMessage | undefined> {
    seen = undefined;
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.end(Buffer.from(text, "latin1"));
    socket.resume();
    await once(socket, "close");
    return seen;
  }

  it(
    "takes nothing that llhttp refuses, and reads the same out of the rest",
    { skip: NO_LLHTTP },
    async () => {
      let taken = 0;
      await fc.assert(
        fc.asyncProperty(HEAD, async (text) => {
          const { result, head } = parse(text);
          if (result <= 0) return;
          const theirs = await byNode(text);
          assert.ok(theirs !== undefined, `llhttp refuses ${JSON.stringify(text)}`);
          taken++;
          assert.equal(head.methodName, theirs.method);
          assert.equal(head.target, theirs.url);
          assert.equal(String(head.minor), String(theirs.httpVersionMinor));
          assert.deepEqual(head.headers().flat(), theirs.rawHeaders);
          const length = theirs.headers["content-length"];
          assert.equal(
            head.bodyLength === CHUNKED,
            theirs.headers["transfer-encoding"] !== undefined,
          );
          if (head.bodyLength >= 0) assert.equal(head.bodyLength, Number(length ?? 0));
        }),
        { numRuns: 1500 },
      );
      assert.ok(taken > 20, `only ${taken} of the heads were good`);
    },
  );
});

describe("RequestHead and bytes", () => {
  it("never throws, never reads past the end, and gives the same answer for pieces", () => {
    const mutated = fc.tuple(HEAD, fc.nat(200), fc.nat(255)).map(([text, at, byte]) => {
      const bytes = bytesOf(text);
      if (at < bytes.length) bytes[at] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(mutated, fc.nat(100), (bytes, extra) => {
        const head = new RequestHead(LIMITS);
        const result = head.parse(bytes, 0, bytes.length);
        assert.ok(result <= bytes.length);
        // Bytes after the end must not matter.
        const padded = new Uint8Array(bytes.length + extra + 1).fill(10);
        padded.set(bytes, extra);
        const moved = new RequestHead(LIMITS).parse(padded, extra, extra + bytes.length);
        assert.equal(moved, result > 0 ? result + extra : result);
        for (let cut = 0; result > 0 && cut < result; cut++) {
          const part = new RequestHead(LIMITS).parse(bytes, 0, cut);
          assert.equal(part, INCOMPLETE, `${cut} of ${JSON.stringify(String(bytes))}`);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
