import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LARGE_BYTES, patterned, serveSite, TWENTY } from "./_site.ts";

const FILE = "/file.txt";

describe("ranges", () => {
  const site = serveSite();

  async function range(
    value: string,
    target = FILE,
  ): Promise<[number, string | undefined, string]> {
    const { status, headers, body } = await site.get(target, { Range: value });
    return [status, headers.get("content-range"), body.toString()];
  }

  it("are answered as RFC 9110 says", async () => {
    assert.deepEqual(await range("bytes=0-0"), [206, "bytes 0-0/20", "0"]);
    assert.deepEqual(await range("bytes=-5"), [206, "bytes 15-19/20", "FGHIJ"]);
    assert.deepEqual(await range("bytes=-999"), [206, "bytes 0-19/20", TWENTY]);
    assert.deepEqual(await range("bytes=5-999"), [206, "bytes 5-19/20", TWENTY.slice(5)]);
    assert.deepEqual(await range("BYTES=0-1"), [206, "bytes 0-1/20", "01"]);
    for (const value of ["bytes=-0", "bytes=20-", "bytes=9007199254740993-"]) {
      assert.deepEqual((await range(value)).slice(0, 2), [416, "bytes */20"], value);
    }
  });

  it("of one part say the same whichever way they are written", async () => {
    for (
      const [target, size] of [[FILE, 20], ["/large.bin", LARGE_BYTES], ["/app.js", 1000]] as const
    ) {
      for (const [first, last] of [[0, 0], [3, 9], [size - 2, size - 1], [size - 2, size + 7]]) {
        const answers = await Promise.all(
          // The second is a list with an empty element: nothing that could be recognised by its shape.
          [`bytes=${first}-${last}`, `bytes=,${first}-${last}`].map(async (Range) => {
            const { status, headers, body } = await site.get(target, { Range });
            const fields = [...headers].filter(([name]) => name !== "date").toSorted();
            return [status, fields, body.toString("latin1")];
          }),
        );
        assert.deepEqual(answers[0], answers[1], `${target}, ${first}-${last}`);
        assert.equal(answers[0]![0], 206);
      }
    }
  });

  it("of a hole are sent without asking the disk, which has nothing of it", async () => {
    const before = site.server.stats().coldReads;
    for (let i = 0; i < 20; i++) {
      const start = 2 ** 30 + i * 2 ** 26;
      const { status, body } = await site.get("/sparse", {
        Range: `bytes=${start}-${start + 999}`,
      });
      assert.equal(status, 206);
      assert.ok(body.equals(new Uint8Array(1000)));
    }
    assert.equal(site.server.stats().coldReads, before);
  });

  it("are ignored where they are malformed, and never leave the file", async () => {
    for (
      const value of [
        "bytes=5-2",
        "bytes=a-b",
        "lines=0-1",
        "",
        "bytes=",
        "bytes=-",
        "bytes=-9223372036854775809-1",
        `bytes=${"0-,".repeat(1300)}`,
        "bytes=0-19,0-19",
      ]
    ) assert.deepEqual(await range(value), [200, undefined, TWENTY], value.slice(0, 40));
    for (
      const value of [
        "bytes=-9223372036854775809",
        "bytes=0-18446744073709551615",
        "bytes=0-9223372036854775807",
      ]
    ) assert.deepEqual(await range(value), [206, "bytes 0-19/20", TWENTY], value);
  });

  it("come in one multipart body, in the order that was asked for", async () => {
    for (const [target, size] of [[FILE, 20], ["/large.bin", LARGE_BYTES]] as const) {
      const whole = target === FILE ? Buffer.from(TWENTY) : Buffer.from(patterned(LARGE_BYTES));
      const answer = await site.get(target, { Range: "bytes=5-7, 0-1, -2" });
      assert.equal(answer.status, 206);
      const type = answer.headers.get("content-type")!;
      const boundary = /^multipart\/byteranges; ?boundary=(.+)$/.exec(type)![1]!;
      const parts = answer.body.toString("latin1").split(`--${boundary}`);
      assert.equal(parts.length, 5);
      assert.match(parts[4]!, /^--\r\n$/);
      const wanted = [[5, 7], [0, 1], [size - 2, size - 1]] as const;
      wanted.forEach(([first, last], index) => {
        const [head, body] = parts[index + 1]!.split("\r\n\r\n");
        assert.match(head!, new RegExp(`content-range: bytes ${first}-${last}/${size}`, "i"));
        assert.equal(body, `${whole.toString("latin1", first, last + 1)}\r\n`);
      });
    }
  });

  it("of an empty file are its whole", async () => {
    assert.deepEqual(await range("bytes=0-1", "/empty.txt"), [200, undefined, ""]);
    assert.deepEqual(await range("bytes=-1", "/empty.txt"), [200, undefined, ""]);
  });

  it("reach behind 2 and 4 GiB", async () => {
    for (const edge of [2 ** 31, 2 ** 32]) {
      const { status, headers, body } = await site.get("/sparse", {
        Range: `bytes=${edge - 1}-${edge + 1}`,
      });
      assert.equal(status, 206);
      assert.equal(headers.get("content-range"), `bytes ${edge - 1}-${edge + 1}/${5 * 2 ** 30}`);
      assert.deepEqual([...body], [0, 0, 0]);
    }
  });

  it("in two header fields are no range", async () => {
    const text = `GET ${FILE} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n` +
      "Range: bytes=0-1\r\nRange: 5-6\r\n\r\n";
    const [answer] = await site.exchange(text, ["GET"]);
    assert.equal(answer!.status, 200);
  });

  it("hold only for the version that If-Range names", async () => {
    const { headers } = await site.get(FILE);
    const [tag, modified] = [headers.get("etag")!, headers.get("last-modified")!];
    const status = async (condition: string) =>
      (await site.get(FILE, { "Range": "bytes=0-1", "If-Range": condition })).status;
    assert.match(tag, /^"[^"]+"$/);
    assert.equal(await status(tag), 206);
    assert.equal(await status(modified), 206);
    assert.equal(await status(`W/${tag}`), 200);
    assert.equal(await status('"other"'), 200);
    assert.equal(await status("Fri, 01 Jan 2100 00:00:00 GMT"), 200);
    assert.equal((await site.get(FILE, { "If-Range": tag })).status, 200);
  });

  it("of a large file are the bytes that they name", async () => {
    const whole = patterned(LARGE_BYTES);
    for (const [start, length] of [[1, 70_000], [524_287, 2], [1_048_575, 3_000_000]] as const) {
      const { body } = await site.get("/large.bin", {
        Range: `bytes=${start}-${start + length - 1}`,
      });
      assert.ok(body.equals(whole.subarray(start, start + length)));
    }
  });
});

describe("conditions", () => {
  const site = serveSite();
  const get = async (headers: Record<string, string>, method?: string) =>
    await site.get(FILE, headers, method);

  it("spare the body of what has not changed", async () => {
    const { headers } = await get({});
    const [tag, modified] = [headers.get("etag")!, headers.get("last-modified")!];
    for (
      const condition of [
        { "If-None-Match": tag },
        { "If-None-Match": tag },
        { "If-None-Match": `W/${tag}` },
        { "If-None-Match": `"a", ${tag}` },
        { "If-None-Match": "*" },
        { "If-Modified-Since": modified },
      ]
    ) {
      const answer = await get(condition);
      assert.equal(answer.status, 304, JSON.stringify(condition));
      assert.equal(answer.headers.has("content-length"), false);
      assert.equal(answer.headers.has("content-type"), false);
      assert.equal(answer.headers.get("etag"), tag);
      assert.ok(answer.headers.has("date"));
    }
    assert.equal(
      (await get({ "If-None-Match": '"x"', "If-Modified-Since": modified })).status,
      200,
    );
    assert.equal((await get({ "If-None-Match": tag }, "HEAD")).status, 304);
  });

  it("fail where the version is another one", async () => {
    const { headers } = await get({});
    const tag = headers.get("etag")!;
    assert.equal((await get({ "If-Match": tag })).status, 200);
    assert.equal((await get({ "If-Match": `W/${tag}` })).status, 412);
    assert.equal((await get({ "If-Match": '"x"', "Range": "bytes=0-1" })).status, 412);
    const long_ago = "Mon, 01 Jan 2001 00:00:00 GMT";
    assert.equal((await get({ "If-Unmodified-Since": long_ago })).status, 412);
    assert.equal((await site.get("/none", { "If-Match": '"x"' })).status, 404);
  });

  it("that are no dates, and those that are long, are no danger", async () => {
    assert.equal((await get({ "If-Modified-Since": "[object Object]" })).status, 200);
    assert.equal((await get({ "If-None-Match": 'W/"'.repeat(4000) })).status, 200);
    assert.equal((await get({ "If-None-Match": ",".repeat(12_000) })).status, 200);
  });
});

describe("HEAD", () => {
  const site = serveSite();

  it("gets the head of GET and nothing else, from files small and large", async () => {
    for (const target of [FILE, "/large.bin", "/empty.txt", "/dir/"]) {
      for (let i = 0; i < 2; i++) {
        const head = await site.get(target, {}, "HEAD");
        const whole = await site.get(target);
        assert.equal(head.status, 200);
        assert.equal(head.body.length, 0);
        assert.equal(head.headers.get("content-length"), String(whole.body.length));
        assert.equal(head.headers.get("etag"), whole.headers.get("etag"));
      }
    }
  });
});

describe("sidecars", () => {
  const site = serveSite({ precompressed: true });

  it("are sent to those who accept them, each under a tag of its own", async () => {
    const coding = async (accept: string) => {
      const { body, headers } = await site.get("/app.js", { "Accept-Encoding": accept });
      assert.match(headers.get("vary")!, /accept-encoding/i);
      return [headers.get("content-encoding") ?? "identity", body.length, headers.get("etag")];
    };
    const [br, gzip, plain] = [await coding("gzip, br"), await coding("gzip"), await coding("")];
    assert.deepEqual([br![0], gzip![0], plain![0]], ["br", "gzip", "identity"]);
    assert.equal(new Set([br[2], gzip[2], plain[2]]).size, 3);
    assert.equal((await coding("br;q=0"))[0], "identity");
    assert.deepEqual(await coding("gzip, br"), br);
    const part = await site.get("/app.js", { "Accept-Encoding": "gzip", "Range": "bytes=1-2" });
    assert.equal(part.body.toString(), "zi");
  });

  it("are under the same rules as files", async () => {
    const { root } = site;
    writeFileSync(join(root, "b.js"), "b");
    symlinkSync("../outside.txt", join(root, "b.js.br"));
    mkdirSync(join(root, "b.js.zst"));
    execFileSync("mkfifo", [join(root, "b.js.gz")]);
    const plain = await site.get("/b.js", { "Accept-Encoding": "br, zstd, gzip" });
    assert.equal(plain.headers.has("content-encoding"), false);
    assert.equal(plain.body.toString(), "b");
    writeFileSync(join(root, "c.js"), "newer");
    writeFileSync(join(root, "c.js.gz"), "older");
    utimesSync(join(root, "c.js.gz"), 1_000_000_000, 1_000_000_000);
    const newer = await site.get("/c.js", { "Accept-Encoding": "gzip" });
    assert.equal(newer.body.toString(), "newer");
    const only = await site.get("/app.js", { "Accept-Encoding": "gzip;q=0.5, identity;q=0.9" });
    assert.equal(only.headers.has("content-encoding"), false);
  });
});
