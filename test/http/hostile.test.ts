/** Hostile requests over raw sockets, and their expected outcome. */

import assert from "node:assert/strict";
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { noise, sha256 } from "../_kit/bytes.ts";
import { assertClosed, describeWithoutLeaks } from "../_kit/leaks.ts";
import { requestText, responses, talk } from "../_kit/raw_http.ts";
import { Client } from "../_kit/serve.ts";
import { whileSwapping } from "./_swapping.ts";
import { MODIFIED, TWENTY, withSite, www } from "./_site.ts";

const LATER = "Sun, 06 Nov 1994 08:49:38 GMT";
const EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT";

const warmUp = () => withSite({}, (get) => get("/file.txt"));

describeWithoutLeaks("serveStatic() and hostile targets", { warmUp }, () => {
  const nothing = [
    "/../OUTSIDE",
    "/%2e%2e/OUTSIDE",
    "/..%2fOUTSIDE",
    "/%2e%2e%2fOUTSIDE",
    "/..%5cOUTSIDE",
  ]
    .concat([
      "/..\\OUTSIDE",
      "/..;/OUTSIDE",
      "/%252e%252e/OUTSIDE",
      "/....//OUTSIDE",
      "//etc/passwd",
    ])
    .concat(["http://localhost/../OUTSIDE", "/../www-secret/x", "/..%2fwww-secret%2fx"])
    .concat(["//file.txt", "/./file.txt", "/folder/../file.txt", "/folder%2Findex.html"])
    .concat([
      "/folder%5Cindex.html",
      "/folder//index.html",
      "/%2ffile.txt",
      "/file.txt/",
      "/file.txt/.",
    ])
    .concat(["/link", "/etclink/passwd", "/above/OUTSIDE", "/above/www-secret/x", "/fifo", "/.env"])
    .concat([
      `/${"x".repeat(256)}`,
      `/${"x/".repeat(2500)}`,
      "/folder/.",
      "/folder/..",
      "/a%2520b%2etxt%20",
    ])
    .concat([
      "//evil.com/%2e%2e",
      "//evil.com/..;/",
      "/%5cevil.com/%2e%2e/",
      "//folder",
      "/folder;/",
    ]);
  for (const target of nothing) {
    it(`finds nothing at ${target.slice(0, 40)}`, async () => {
      await withSite({}, async (get) => {
        const { status, headers } = await get(target);
        assert.equal(status, 404);
        assert.equal(headers.get("location"), undefined);
      });
    });
  }

  const malformed = [
    "/%00",
    "/file.txt%00",
    "/%zz",
    "/%",
    "/%ff",
    "/%c0%ae%c0%ae/OUTSIDE",
    "/a%0d%0aX:%20y",
  ];
  for (const target of malformed) {
    it(`refuses ${target}`, async () => {
      await withSite({}, async (get) => assert.equal((await get(target)).status, 400));
    });
  }

  it("never lets the parser of the runtime pass something on that leads out", async () => {
    await withSite({ dotfiles: "allow" }, async (_, port) => {
      const raws = [
        "/a\0b",
        "/file.txt \0",
        "/\x01",
        "*",
        "file.txt",
        "../OUTSIDE",
        "/..",
        "\\..\\OUTSIDE",
      ];
      for (const target of raws) {
        const bytes = await talk(port, requestText(target, { Connection: "close" }));
        assert.ok(!bytes.includes("sentinel"), target);
        assert.ok(!/^HTTP\/1\.1 200/.test(bytes.toString("latin1")), JSON.stringify(target));
      }
    });
  });

  it("leads to folders without ever leading elsewhere", async () => {
    await withSite({}, async (get) => {
      for (
        const target of [
          "/folder",
          "/folder?//evil.com",
          "http://localhost/folder",
          "/bare?a=%0d%0ab",
        ]
      ) {
        const { status, headers, body } = await get(target);
        assert.equal(status, 301);
        assert.match(headers.get("location")!, /^\.\/(?:folder|bare)\//);
        assert.equal(body.toString(), "301 Moved Permanently\n");
      }
    });
  });

  it("tells nothing of what lies outside: it is absent like everything else", async () => {
    await withSite({}, async (get) => {
      const [present, absent] = [await get("/above/OUTSIDE"), await get("/above/NOTHING")];
      assert.equal(present.status, absent.status);
      assert.deepEqual(present.body, absent.body);
    });
  });
});

// Not among the others: Deno leaves two descriptors of a Worker that has been terminated open.
describe("serveStatic() and races", () => {
  it("is not led out by somebody who swaps a folder and a link meanwhile", async () => {
    const seen = new Set<string>();
    await whileSwapping(www, "race", () =>
      withSite({}, async (_, port) => {
        const client = new Client(port);
        for (let round = 0; round < 3000 || (seen.size < 2 && round < 100_000); round++) {
          seen.add((await client.get("/race/swapped/OUTSIDE")).body.toString());
        }
        await client.close();
      }));
    assert.deepEqual([...seen].sort(), ["404 Not Found\n", "inside"]);
  });
});

describeWithoutLeaks("serveStatic() and hostile headers", { warmUp }, () => {
  const cases: [headers: Record<string, string>, status: number, body: string][] = [
    [{ Range: "bytes=0-0" }, 206, "0"],
    [{ Range: "bytes=-5" }, 206, "FGHIJ"],
    [{ Range: "bytes=-999" }, 206, TWENTY],
    [{ Range: "bytes=5-999" }, 206, TWENTY.slice(5)],
    [{ Range: "BYTES=0-1" }, 206, "01"],
    [{ Range: "bytes=-0" }, 416, ""],
    [{ Range: "bytes=20-" }, 416, ""],
    [{ Range: "bytes=9223372036854775808-" }, 416, ""],
    [{ Range: "bytes=9007199254740993-" }, 416, ""],
    [{ Range: "bytes=0-18446744073709551615" }, 206, TWENTY],
    [{ Range: "bytes=-9223372036854775809" }, 206, TWENTY],
    [{ Range: "bytes=-25,-9223372036854775000" }, 200, TWENTY],
    [{ Range: "bytes=5-2" }, 200, TWENTY],
    [{ Range: "bytes=a-b" }, 200, TWENTY],
    [{ Range: "lines=0-1" }, 200, TWENTY],
    [{ Range: "" }, 200, TWENTY],
    [{ Range: `bytes=${"0-,".repeat(1300)}0-` }, 200, TWENTY],
    [{ Range: `bytes=${"0-0,".repeat(1300)}0-0` }, 200, TWENTY],
    [{ "If-Range": `W/"a"`, Range: "bytes=0-0" }, 200, TWENTY],
    [{ "If-Range": MODIFIED, Range: "bytes=0-0" }, 206, "0"],
    [{ "If-Range": LATER, Range: "bytes=0-0" }, 200, TWENTY],
    [{ "If-Range": '"a"' }, 200, TWENTY],
    [{ "If-None-Match": "*" }, 304, ""],
    [{ "If-None-Match": '"a"', "If-Modified-Since": MODIFIED }, 200, TWENTY],
    [{ "If-Modified-Since": MODIFIED }, 304, ""],
    [{ "If-Modified-Since": LATER }, 304, ""],
    [{ "If-Modified-Since": EARLIER }, 200, TWENTY],
    [{ "If-Modified-Since": "Thu, 99 Foo 9999 99:99:99 GMT" }, 200, TWENTY],
    [{ "If-Modified-Since": "2e9" }, 200, TWENTY],
    [{ "If-Match": '"a"' }, 412, ""],
    [{ "If-Match": '"a"', Range: "bytes=99-" }, 412, ""],
    [{ "If-Unmodified-Since": EARLIER }, 412, ""],
    [{ "If-Unmodified-Since": LATER }, 200, TWENTY],
    [{ "If-Match": `W/${'"'.repeat(8000)}` }, 412, ""],
    [{ "If-None-Match": `${",".repeat(8000)}` }, 200, TWENTY],
    [{ "__proto__": "a", "constructor": "b" }, 200, TWENTY],
  ];
  it("answers each by the book, one after the other on one connection", async () => {
    await withSite({}, async (_, port) => {
      const client = new Client(port);
      for (const [headers, status, body] of cases) {
        const what = JSON.stringify(headers).slice(0, 80);
        const answer = await client.get("/file.txt", headers);
        assert.equal(answer.status, status, what);
        assert.equal(answer.body.toString(), body, what);
        if (status === 416) assert.equal(answer.headers["content-range"], "bytes */20");
        if (status === 304) assert.equal(answer.headers["content-type"], undefined);
        assert.equal(client.rest.length, 0, what);
      }
      await client.close();
    });
  });

  it("says 404 rather than 412 where there is nothing", async () => {
    await withSite({}, async (get) => {
      assert.equal((await get("/absent", { "If-Match": "*" })).status, 404);
    });
  });

  it("refuses methods that are none for files", async () => {
    await withSite({}, async (get) => {
      for (const method of ["POST", "PUT", "DELETE", "TRACE", "PROPFIND"]) {
        const { status, headers } = await get("/file.txt", { "Content-Length": "0" }, method);
        assert.equal(status, 405, method);
        assert.equal(headers.get("allow"), "GET, HEAD, OPTIONS");
      }
    });
  });

  it("leaves nothing behind after a thousand answers without a body", async () => {
    await withSite({}, async (get, port) => {
      await get("/file.txt");
      const asked: [string, string, Record<string, string>][] = [
        ["HEAD", "/big.bin", {}],
        ["GET", "/big.bin", { "If-None-Match": "*" }],
        ["GET", "/file.txt", { Range: "bytes=20-" }],
        ["GET", "/absent", {}],
        ["GET", "/bare/", {}],
      ];
      for (let round = 0; round < 10; round++) {
        const twenty = Array.from({ length: 20 }, () => asked).flat();
        const text = twenty.map(([method, target, headers]) =>
          requestText(target, headers, method)
        );
        const last = requestText("/file.txt", { Connection: "close" });
        const answers = responses(
          await talk(port, text.join("") + last),
          [...twenty.map(([method]) => method), "GET"],
        );
        assert.equal(answers.at(-1)!.body.toString(), TWENTY);
      }
      for (const file of ["big.bin", "file.txt", "bare"]) await assertClosed(join(www, file));
    });
  });
});

describeWithoutLeaks("serveStatic() and files that change", { warmUp }, () => {
  const path = join(www, "changes.bin");
  const bytes = noise(8 * 1024 * 1024, 9);

  /** Asks for the file, changes it once the answer has begun, and reads on. */
  const during = async (change: () => void) => {
    writeFileSync(path, bytes);
    return await withSite({}, async (_, port) => {
      const client = new Client(port).send("GET", "/changes.bin");
      client.send("GET", "/file.txt");
      await new Promise((resolve) => client.socket.once("data", resolve));
      client.socket.pause();
      change();
      client.socket.resume();
      const answer = await client.receive();
      const next = await client.receive().catch(() => undefined);
      client.reset();
      return { answer, next };
    });
  };

  it("cuts the connection when a file becomes shorter, and lets no answer follow", async () => {
    const { answer, next } = await during(() => truncateSync(path, 64 * 1024));
    assert.ok(answer.body.length < bytes.length);
    // What waits in the kernel are the file's own pages: where the file was cut in the middle of one,
    // which may be a large one, they arrive as zeros.
    const different = answer.body.findIndex((byte, at) => byte !== bytes[at]);
    if (different >= 0) {
      assert.ok(different >= 64 * 1024);
      assert.ok(
        answer.body.subarray(different).every((byte, at) =>
          byte === 0 || byte === bytes[different + at]
        ),
      );
    }
    assert.equal(next, undefined);
  });

  it("sends what a file was when it was opened, although it grows", async () => {
    const { answer, next } = await during(() => appendFileSync(path, "more"));
    assert.equal(sha256(answer.body), sha256(bytes));
    assert.equal(next?.body.toString(), TWENTY);
  });

  it("sends the old file when another takes its name", async () => {
    const { answer, next } = await during(() => {
      writeFileSync(`${path}.new`, "another");
      renameSync(`${path}.new`, path);
    });
    assert.equal(sha256(answer.body), sha256(bytes));
    assert.equal(next?.body.toString(), TWENTY);
    rmSync(path);
  });

  it("tells a changed file from what it was", async () => {
    const file = join(www, "version.txt");
    await withSite({}, async (get) => {
      writeFileSync(file, "one");
      const { headers } = await get("/version.txt");
      writeFileSync(file, "two");
      const tag = headers.get("etag")!;
      const answer = await get("/version.txt", {
        "If-None-Match": tag,
        "If-Range": tag,
        Range: "bytes=0-0",
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.body.toString(), "two");
      rmSync(file);
      assert.equal((await get("/version.txt")).status, 404);
    });
  });
});
