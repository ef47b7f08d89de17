import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHead, readHeads } from "../../examples/file_server/request_head.ts";

const HOST = "Host: a\r\n";

function parse(text: string) {
  const head = parseHead(text);
  assert.equal(typeof head, "object", `${text} was refused`);
  return head as Exclude<typeof head, number>;
}

/** The method of each request in these chunks, or the status of a refusal. */
async function read(chunks: Iterable<string>): Promise<(string | number)[]> {
  async function* encoded() {
    for (const chunk of chunks) yield Buffer.from(chunk, "latin1");
  }
  const seen = [];
  for await (const head of readHeads(encoded(), () => assert.fail("too slow"))) {
    seen.push(typeof head === "number" ? head : `${head.method} ${head.target}`);
  }
  return seen;
}

describe("parseHead()", () => {
  it("takes method, target and headers apart", () => {
    const head = parse(`GET /a?b HTTP/1.1\r\n${HOST}X-Long:  b c \t\r\nx-long: d`);
    assert.equal(head.method, "GET");
    assert.equal(head.target, "/a?b");
    assert.equal(head.header("host"), "a");
    assert.equal(head.header("x-long"), "b c, d");
    assert.equal(head.header("range"), undefined);
    assert.equal(head.header("__proto__"), undefined);
    assert.equal(head.keepAlive, true);
  });

  it("ignores one empty line before the request", () => {
    assert.equal(parse(`\r\nGET / HTTP/1.1\r\nHost: a`).method, "GET");
  });

  const ends: [string, boolean][] = [
    ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close", false],
    ["GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close", false],
    ["GET / HTTP/1.0", false],
    ["GET / HTTP/1.0\r\nConnection: keep-alive", true],
    ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3", false],
    ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0", true],
    ["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", false],
  ];
  for (const [text, keepAlive] of ends) {
    it(`${keepAlive ? "goes on" : "ends"} after ${JSON.stringify(text)}`, () => {
      assert.equal(parse(text).keepAlive, keepAlive);
    });
  }

  const malformed = [
    "",
    "GET /",
    "GET  / HTTP/1.1\r\nHost: a",
    "GET / HTTP/1.1 \r\nHost: a",
    "GET /a b HTTP/1.1\r\nHost: a",
    "GET /\xe4 HTTP/1.1\r\nHost: a",
    "GET /\0 HTTP/1.1\r\nHost: a",
    "G(T / HTTP/1.1\r\nHost: a",
    "GET / HTTP/1.1",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a",
    "GET / HTTP/1.1\r\nHost: a/b",
    "GET / HTTP/1.1\r\nHost: a\r\nno colon",
    "GET / HTTP/1.1\r\nHost: a\r\n: empty",
    "GET / HTTP/1.1\r\nHost : a",
    "GET / HTTP/1.1\r\nHost: a\r\n folded",
    "GET / HTTP/1.1\r\nHost: a\nX: b",
    "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \0",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
  ];
  for (const text of malformed) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseHead(text), 400));
  }

  it("refuses another major version", () => {
    assert.equal(parseHead(`GET / HTTP/2.0\r\nHost: a`), 505);
  });
});

describe("readHeads()", () => {
  const pipeline = Array.from({ length: 5 }, (_, i) => `GET /${i} HTTP/1.1\r\n${HOST}\r\n`).join(
    "",
  );
  const targets = Array.from({ length: 5 }, (_, i) => `GET /${i}`);

  it("finds requests that came in one piece, byte by byte, and cut anywhere", async () => {
    assert.deepEqual(await read([pipeline]), targets);
    assert.deepEqual(await read(pipeline), targets);
    for (let cut = 1; cut < pipeline.length; cut++) {
      assert.deepEqual(await read([pipeline.slice(0, cut), pipeline.slice(cut)]), targets);
    }
  });

  it("ends without a request where the connection does", async () => {
    assert.deepEqual(await read([]), []);
    assert.deepEqual(await read([`GET / HTTP/1.1\r\n${HOST}`]), []);
  });

  it("takes nothing behind a body, a refusal or the last request for a request", async () => {
    const next = `GET /next HTTP/1.1\r\n${HOST}\r\n`;
    const body = `POST / HTTP/1.1\r\n${HOST}Content-Length: ${next.length}\r\n\r\n`;
    assert.deepEqual(await read([body + next]), ["POST /"]);
    assert.deepEqual(await read([`GET /\r\n\r\n${next}`]), [400]);
    assert.deepEqual(await read([`GET / HTTP/1.0\r\n\r\n${next}`]), ["GET /"]);
  });

  it("refuses a head above 16 KiB, ended or not", async () => {
    const long = `GET / HTTP/1.1\r\n${HOST}X: ${"x".repeat(16 * 1024)}`;
    assert.deepEqual(await read([long]), [431]);
    assert.deepEqual(await read([`${long}\r\n\r\n`]), [431]);
  });
});
