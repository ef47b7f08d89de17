import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { responses } from "../../../_kit/raw_http.ts";
import { LARGE_BYTES, patterned, serveSite, TWENTY } from "../_site.ts";

const request = (target: string, more = "", method = "GET") =>
  `${method} ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const LAST = "Connection: close\r\n";

/** Sends pieces, each in a segment of its own, and returns all that comes back. */
async function inPieces(port: number, pieces: readonly string[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  const closed = once(socket, "close");
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, "latin1", resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
  return Buffer.concat(chunks);
}

describe("messages", () => {
  const site = serveSite({ limits: { maxTargetBytes: 1000, maxHeadBytes: 4000, maxFields: 20 } });

  it("that contradict themselves are refused, and nothing behind them is read", async () => {
    const smuggled = request("/file.txt", LAST);
    for (
      const [text, status] of [
        [request("/file.txt", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400],
        [request("/file.txt", "Content-Length: 0\r\nContent-Length: 5\r\n"), 400],
        [request("/file.txt", "Transfer-Encoding: xchunked\r\n"), 400],
        [request("/file.txt", "Host: b\r\n"), 400],
        [request("/file.txt", "A : b\r\n"), 400],
        [request("/file.txt", "A: b\r\n c\r\n"), 400],
        ...["+5", "0x5", "5, 5", "-1", "1e3", "", " 5 5", "5;"].map((length) =>
          [request("/file.txt", `Content-Length: ${length}\r\n`), 400] as const
        ),
        [request("/file.txt", "Content-Length: 18446744073709551616\r\n"), 413],
        ["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
        ...[
          "chunked, identity",
          "identity, chunked",
          "\vchunked",
          "chunked\r\nTransfer-Encoding: x",
        ]
          .map((coding) =>
            [request("/file.txt", `Transfer-Encoding: ${coding}\r\n`), 400] as const
          ),
        ...["A: b\rC: d", "A: b\0c", "A: b\nC: d", "A\0: b", ": b", "A", "A\tB: c", "A: \x7f"].map((
          line,
        ) => [request("/file.txt", `${line}\r\n`), 400] as const),
        ...["a,b", "a b", "a/b", "a:b", ""].map((host) =>
          [`GET /file.txt HTTP/1.1\r\n${host === "" ? "" : `Host: ${host}\r\n`}\r\n`, 400] as const
        ),
        ["\r\n\r\nGET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400],
        [" GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400],
        ["GET  /file.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400],
        ["GET /file .txt HTTP/1.1\r\nHost: a\r\n\r\n", 400],
        ["GET /file\0.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400],
        ["GET /file\x01.txt HTTP/1.1\r\nHost: a\r\n\r\n", 400],
        ["GET /file.txt\r\nHost: a\r\n\r\n", 400],
        ["GET /file.txt HTTP/1.1\r\n\r\n", 400],
        ["GET /file.txt HTTP/1.1\nHost: a\n\n", 400],
        ["GET /file.txt HTTP/3.0\r\nHost: a\r\n\r\n", 505],
        [request(`/${"a".repeat(1000)}`), 414],
        [request("/", `A: ${"b".repeat(4000)}\r\n`), 431],
        [request("/", "A: b\r\n".repeat(20)), 431],
        ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
      ] as const
    ) {
      const answer = await site.talk(text + smuggled);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(text));
      assert.match(answer, /\r\nConnection: close\r\n/);
      assert.equal(answer.split("HTTP/1.1 ").length, 2, "one answer");
    }
  });

  it("may follow each other at once, and are answered in order", async () => {
    const targets = Array.from(
      { length: 100 },
      (_, i) =>
        ["/file.txt", "/empty.txt", "/none", "/dir/", "/large.bin"][i % 25 === 4 ? 4 : i % 4]!,
    );
    const text = targets.map((target) => request(target)).join("") + request("/file.txt", LAST);
    const answers = await site.exchange(text, [...targets.map(() => "GET"), "GET"]);
    const large = Buffer.from(patterned(LARGE_BYTES));
    for (const [i, target] of targets.entries()) {
      const { body, status } = answers[i]!;
      assert.equal(status, target === "/none" ? 404 : 200, target);
      if (target === "/file.txt") assert.equal(body.toString(), TWENTY);
      if (target === "/large.bin") assert.ok(body.equals(large));
    }
    assert.equal(answers[100]!.headers.get("connection"), "close");
  });

  it("may come cut at any byte", async () => {
    const text = request("/file.txt") + request("/none", "A: b\r\n", "HEAD") +
      request("/file.txt", `Range: bytes=1-2\r\n${LAST}`);
    for (let cut = 1; cut < text.length; cut++) {
      const bytes = await inPieces(site.port, [text.slice(0, cut), text.slice(cut)]);
      const answers = responses(bytes, ["GET", "HEAD", "GET"]);
      assert.deepEqual(answers.map(({ status }) => status), [200, 404, 206]);
      assert.equal(answers[2]!.body.toString(), "12");
    }
    const single = await inPieces(site.port, [...text]);
    assert.equal(responses(single, ["GET", "HEAD", "GET"]).length, 3);
  });

  it("with a body are answered, and the body is no request", async () => {
    const inner = request("/dir/");
    const text = request("/file.txt", `Content-Length: ${inner.length}\r\n`) + inner +
      request("/empty.txt", LAST);
    const answers = await site.exchange(text, ["GET", "GET"]);
    assert.deepEqual(answers.map(({ body }) => body.toString()), [TWENTY, ""]);
    const post = request("/file.txt", `Content-Length: ${inner.length}\r\n`, "POST") + inner +
      request("/empty.txt", LAST);
    assert.deepEqual((await site.exchange(post, ["POST", "GET"])).map((a) => a.status), [405, 200]);
    const body = "x".repeat(100_000);
    for (
      const more of [`Content-Length: ${body.length}\r\n`, "Transfer-Encoding: chunked\r\n"]
    ) {
      const [answer] = await site.exchange(request("/file.txt", more, "POST") + body, ["POST"]);
      assert.equal(answer!.status, 405);
      assert.equal(answer!.headers.get("connection"), "close");
    }
  });

  it("that ask for a tunnel get none, and what follows is not read", async () => {
    for (const target of ["a:80", "/file.txt"]) {
      const text = `CONNECT ${target} HTTP/1.1\r\nHost: a\r\n\r\n${request("/file.txt", LAST)}`;
      const answer = await site.talk(text);
      assert.match(answer, /^HTTP\/1\.1 40[05] .*\r\nConnection: close\r\n/s);
      assert.equal(answer.split("HTTP/1.1 ").length, 2, "one answer");
    }
  });

  it("may have an empty line before them, and names of every kind in them", async () => {
    const more = "__proto__: x\r\nconstructor: x\r\ntoString: x\r\n";
    const text = `\r\n${request("/file.txt", more)}\r\n${request("/x.constructor", more)}` +
      request("/x.__proto__", LAST);
    const answers = await site.exchange(text, ["GET", "GET", "GET"]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 404, 404]);
  });

  it("of HTTP/1.0 end the connection unless it is asked to stay", async () => {
    const [once] = await site.exchange("GET /file.txt HTTP/1.0\r\n\r\n", ["GET"]);
    assert.equal(once!.headers.get("connection"), "close");
    const stay = "GET /file.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    const answers = await site.exchange(`${stay}GET /large.bin HTTP/1.0\r\n\r\n`, ["GET", "GET"]);
    assert.equal(answers[0]!.headers.get("connection"), "keep-alive");
    assert.equal(answers[1]!.body.length, LARGE_BYTES);
  });

  it("without body leave the connection where it was", async () => {
    const tag = (await site.get("/file.txt")).headers.get("etag")!;
    const text = request("/file.txt", "", "HEAD") +
      request("/file.txt", `If-None-Match: ${tag}\r\n`) +
      request("*", "", "OPTIONS") + request("/file.txt", "Range: bytes=99-\r\n") +
      request("/large.bin", "", "HEAD") + request("/file.txt", LAST);
    const answers = await site.exchange(text, ["HEAD", "GET", "OPTIONS", "GET", "HEAD", "GET"]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 304, 204, 416, 200, 200]);
  });

  it("from clients that stop sending are answered all the same", async () => {
    const chunks: Buffer[] = [];
    const socket = connect({ port: site.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.end(request("/large.bin"));
    await once(socket, "end");
    socket.destroy();
    assert.equal(responses(Buffer.concat(chunks), ["GET"])[0]!.body.length, LARGE_BYTES);
  });

  it("that were sent ahead of a slow reader wait for their turn", async () => {
    const socket = connect({ port: site.port, host: "127.0.0.1" });
    const count = 4;
    socket.write(request("/large.bin").repeat(count - 1) + request("/large.bin", LAST));
    socket.pause();
    await sleep(100);
    const { bytes } = site.server.stats();
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.resume();
    await once(socket, "close");
    assert.ok(site.server.stats().bytes > bytes);
    const answers = responses(Buffer.concat(chunks), Array<string>(count).fill("GET"));
    assert.ok(answers.every(({ body }) => body.length === LARGE_BYTES));
  });
});
