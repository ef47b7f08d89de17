import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type RequestEvent } from "../../src/http/mod.ts";
import type { FallbackOptions } from "../../src/http/server/proxy/options.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { requestText, responses, talk } from "../_kit/raw_http.ts";
import { saying, startProgram } from "../http/server/_program.ts";
import { LARGE_BYTES, makeSite, patterned, TWENTY } from "../http/server/_site.ts";
import { secureClient, secureTalk } from "../http/server/_tls.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const CLOSE = { Connection: "close" };

/** A server before a program that names a file. */
async function start(
  scheme: string,
  target: () => string,
  more = "",
  options: Partial<FallbackOptions> = {},
) {
  const program = await startProgram((socket, text) =>
    saying(
      `HTTP/1.1 200 OK\r\nX-Accel-Redirect: ${target()}\r\n${more}Content-Length: 3\r\n\r\nnot`,
    )(socket, text)
  );
  cleanUp.push(() => program.close());
  const site = makeSite();
  cleanUp.push(() => site.remove());
  const events: RequestEvent[] = [];
  const to = `127.0.0.1:${program.port}`;
  const server = createFileServer({
    root: site.root,
    fallback: { to, accel: true, paths: ["/app"], ...options },
    onRequest: (event) => void events.push(event),
    maxAge: "1d",
    ...scheme === "https" && { tls: { cert: CERTIFICATE, key: KEY } },
  });
  cleanUp.push(() => server.close({ graceMs: 0 }));
  const { port } = await server.listen();
  const send = (text: string) => scheme === "https" ? secureTalk(port, text) : talk(port, text);
  const get = async (headers: Record<string, string> = {}, method = "GET") =>
    responses(await send(requestText("/app", { ...CLOSE, ...headers }, method)), [method])[0]!;
  return { events, get, port, program, send };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++, await sleep(10)) if (holds()) return;
  assert.fail(what);
}

for (const scheme of ["http", "https"]) {
  describe(`X-Accel-Redirect over ${scheme}, without foreign functions`, () => {
    it("has the server send the file, with ranges, conditions and HEAD", async () => {
      const { events, get, program } = await start(scheme, () => "/file.txt");
      const { body, headers, status } = await get();
      assert.deepEqual([status, body.toString()], [200, TWENTY]);
      assert.equal(headers.get("content-length"), "20");
      assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(headers.get("cache-control"), "private, no-cache");
      assert.equal(headers.has("x-accel-redirect"), false);
      assert.match(program.requests[0]!, new RegExp(`X-Forwarded-Proto: ${scheme}\r\n`));
      await until(() => events.length === 1, "No event");
      const { bytes, state, target } = events[0]!;
      assert.deepEqual([bytes, state, target], [20, "done", "/app"]);
      const part = await get({ Range: "bytes=5-9" });
      assert.deepEqual([part.status, part.body.toString()], [206, "56789"]);
      assert.equal((await get({ Range: "bytes=20-" })).status, 416);
      const etag = headers.get("etag")!;
      assert.equal((await get({ "If-None-Match": etag })).status, 304);
      assert.equal((await get({}, "HEAD")).headers.get("content-length"), "20");
      assert.equal((await get({ "Content-Length": "0" }, "POST")).body.toString(), TWENTY);
      await until(() => program.open.size === 0, "The program's connection stays open");
    });

    it("sends a large file whole, and keeps the connection", async () => {
      const { program, send } = await start(scheme, () => "/large.bin");
      const text = requestText("/app") + requestText("/file.txt", CLOSE);
      const [large, small] = responses(await send(text), ["GET", "GET"]);
      assert.equal(large!.body.length, LARGE_BYTES);
      assert.ok(large!.body.equals(patterned(LARGE_BYTES)));
      assert.equal(small!.body.toString(), TWENTY);
      assert.equal(program.requests.length, 1);
    });

    it("ends the connection behind a body that has not arrived", async () => {
      const { send } = await start(scheme, () => "/file.txt");
      const text = requestText("/app", { "Content-Length": "10" }, "POST") + "abc";
      const [only] = responses(await send(text), ["POST"]);
      assert.equal(only!.body.toString(), TWENTY);
      assert.equal(only!.headers.get("connection"), "close");
    });

    it("takes over what the program says of the file", async () => {
      const more = "Content-Type: application/pdf\r\nContent-Disposition: attachment\r\n" +
        "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nCache-Control: no-store\r\nX-Else: 1\r\n" +
        "Accept-Ranges: none\r\n";
      const { send } = await start(scheme, () => "/file.txt", more);
      const text = (await send(requestText("/app", { ...CLOSE, Range: "bytes=0-1" }))).toString();
      assert.match(text, /^HTTP\/1\.1 200 /);
      for (const line of more.trimEnd().split("\r\n")) {
        const there = text.toLowerCase().includes(`\r\n${line.toLowerCase()}\r\n`);
        assert.equal(there, line !== "X-Else: 1", line);
      }
      assert.ok(text.endsWith(`\r\n\r\n${TWENTY}`));
    });

    it("finds nothing outside of the root or the path, and nothing but files", async () => {
      let target = "";
      const { get } = await start(scheme, () => target, "", { accel: "/dir/" });
      const outside = ["/../outside.txt", "/link.txt", "/file.txt", "http://a/dir/index.html"];
      for (target of [...outside, "/dir/../file.txt", "/dir", "/dir/", "/dir/missing", "/%", ""]) {
        assert.equal((await get()).status, 404, target);
      }
      target = "/dir/deep/%C3%BC.txt";
      assert.equal((await get()).body.toString(), "deep");
    });

    it("that stands twice is no answer", async () => {
      const { get } = await start(scheme, () => "/file.txt", "X-Accel-Redirect: /a\r\n");
      assert.equal((await get()).status, 502);
    });

    it("is nothing that a client can say", async () => {
      const { get, program } = await start(scheme, () => "/file.txt");
      await get({ "X-Accel-Mapping": "/=/", "X-Sendfile-Type": "x", "X_Accel_Redirect": "/a" });
      assert.doesNotMatch(program.requests[0]!, /accel|sendfile/i);
    });

    it("notices a client that leaves during the file", async () => {
      const { events, port, program } = await start(scheme, () => "/sparse");
      const socket = scheme === "https"
        ? await secureClient(port)
        : connect({ port, host: "127.0.0.1" });
      socket.on("error", () => {});
      socket.write(requestText("/app"));
      await once(socket, "data");
      socket.destroy();
      await until(() => events.length === 1 && program.open.size === 0, "No event");
      assert.equal(events[0]!.state, "aborted");
    });
  });
}
