import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFileServer } from "../../../../src/http/server/control/file_server.ts";
import { responses, talk } from "../../../_kit/raw_http.ts";
import { LARGE_BYTES, makeSite, TWENTY } from "../_site.ts";
import { cleanUp, HELLO, start } from "./_rig.ts";
import { saying } from "../_program.ts";

/** Heads that two readers could understand differently, with the fields beside a valid Host. */
const AMBIGUOUS: readonly string[] = [
  "Host: a\r\nHost: b",
  "Host: a\r\nHost: a",
  "Host: a, b",
  "Host: a/b",
  "Host: u@a",
  "Host: a:b",
  "Host: <a>",
  "Host: [::1",
  "Host: a\r\nContent-Length: 0\r\nContent-Length: 0",
  "Host: a\r\nContent-Length: 9007199254740993",
  "Host: a\r\nTransfer-Encoding: gzip, chunked",
  "Host: a\r\nTransfer-Encoding: identity, chunked",
  "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  "Host: a\r\nTransfer-Encoding:",
];

const UPGRADES: readonly string[] = ["h2c", "websocket", "x"];

/** A GET that asks for another protocol. */
function upgrade(target: string, to: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: ${to}\r\n\r\n`;
}

/** A server for files alone. */
async function files(): Promise<number> {
  const site = makeSite();
  const server = createFileServer({ root: site.root });
  cleanUp.push(site.remove, () => server.close({ graceMs: 0 }));
  return (await server.listen()).port!;
}

describe("createFileServer(), about the head of a request,", () => {
  it("refuses what is ambiguous, with and without a program", async () => {
    const { port, program } = await start(saying(HELLO));
    for (const at of [await files(), port]) {
      for (const fields of AMBIGUOUS) {
        for (const line of ["GET /file.txt", "GET /none", "POST /none"]) {
          const got = await talk(at, `${line} HTTP/1.1\r\n${fields}\r\n\r\n0\r\n\r\n`);
          assert.match(got.toString(), /^HTTP\/1\.1 4\d\d /, `${line} ${fields}`);
          assert.doesNotMatch(got.toString(), /\r\nHTTP\//, fields);
        }
      }
    }
    assert.deepEqual(program.requests, []);
  });

  it("sends no body after HEAD, and one after what follows it", async () => {
    const port = await files();
    const invalid = "Host: a\r\nHost: b\r\nContent-Length: 5\r\n\r\n";
    const head = (await talk(port, `HEAD /file.txt HTTP/1.1\r\n${invalid}`)).toString();
    assert.match(head, /^HTTP\/1\.1 400 /);
    assert.equal(head.slice(head.indexOf("\r\n\r\n") + 4), "");
    const first = "HEAD /file.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const line of ["GET /file.txt HTTP/1.1", "B@D /file.txt HTTP/1.1"]) {
      const got = (await talk(port, `${first}${line}\r\n${invalid}`)).toString();
      const [fields, body] = got.slice(got.indexOf("HTTP/1.1 400")).split("\r\n\r\n");
      assert.equal(body!.length, Number(/Content-Length: (\d+)/i.exec(fields!)?.[1] ?? 0), line);
    }
  });

  it("answers no other major version", async () => {
    const port = await files();
    for (const version of ["2.0", "0.9", "3.0"]) {
      const got = await talk(port, `GET /file.txt HTTP/${version}\r\nHost: a\r\n\r\n`);
      assert.match(got.toString(), /^HTTP\/1\.1 (?:505|400) /, version);
    }
  });

  it("answers CONNECT with 405, and closes", async () => {
    const { port, program } = await start(saying(HELLO));
    for (const at of [await files(), port]) {
      for (const target of ["a:80", "/file.txt"]) {
        const got = await talk(at, `CONNECT ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
        assert.match(got.toString(), /^HTTP\/1\.1 405 .*\r\nAllow: GET, HEAD, OPTIONS\r\n/s);
      }
    }
    assert.deepEqual(program.requests, []);
  });

  it("sends the file to a client that asks for another protocol", async () => {
    const { port, program } = await start(saying(HELLO));
    for (const at of [await files(), port]) {
      for (const to of UPGRADES) {
        const [got] = responses(await talk(at, upgrade("/file.txt", to)), ["GET"]);
        assert.deepEqual([got!.status, got!.body.toString()], [200, TWENTY], to);
      }
    }
    assert.deepEqual(program.requests, []);
  });

  it("lets no other protocol reach what the program has not been given", async () => {
    const options = { paths: ["/api/"], notFound: false, methods: false };
    const { port, program, server } = await start(saying(HELLO), options);
    for (const to of UPGRADES) {
      for (const target of ["/none", "/api", "//api/x", "http://a/none"]) {
        const got = await talk(port, upgrade(target, to));
        assert.match(got.toString(), /^HTTP\/1\.1 404 /, `${target} ${to}`);
      }
      assert.match((await talk(port, upgrade("http://a/api/x", to))).toString(), /hello$/);
    }
    assert.deepEqual(program.requests.map((text) => text.split("\r\n")[0]), [
      ...UPGRADES.map(() => "GET /api/x HTTP/1.1"),
    ]);
    await server.close({ graceMs: 20_000 });
    assert.equal(server.stats().open, 0);
  });

  it("answers a client that has ended its side", async () => {
    const port = await files();
    const [whole, part] = ["/large.bin", "/file.txt"].map((path) =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\n`
    );
    const got = responses(await talk(port, `${part}\r\n${whole}\r\n`, { end: true }), [
      "GET",
      "GET",
    ]);
    assert.deepEqual(got.map(({ body, status }) => [status, body.length]), [
      [200, TWENTY.length],
      [200, LARGE_BYTES],
    ]);
    assert.doesNotMatch((await talk(port, part!, { end: true })).toString(), / 200 /);
  });

  it("answers pipelined requests one after the other", async () => {
    const { port, program } = await start(
      (socket, text) => {
        if (text.endsWith("\r\n\r\n")) setTimeout(() => socket.end(HELLO), 50);
      },
      {},
      { upload: true },
    );
    const put = "PUT /new.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nnew";
    const get = "GET /new.txt HTTP/1.1\r\nHost: a\r\n";
    const post = "POST /x HTTP/1.1\r\nHost: a\r\n\r\n";
    const bytes = await talk(port, `${put}${get}\r\n${post}${post}${get}Connection: close\r\n\r\n`);
    const got = responses(bytes, ["PUT", "GET", "POST", "POST", "GET"]);
    assert.deepEqual(got.map(({ body, status }) => [status, body.toString().slice(0, 5)]), [
      [201, "201 C"],
      [200, "new"],
      [200, "hello"],
      [200, "hello"],
      [200, "new"],
    ]);
    assert.equal(program.requests.length, 2);
  });
});
