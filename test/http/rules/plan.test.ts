import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PlanOptions, planResponse } from "../../../src/http/mod.ts";
import type { PlanFile } from "../../../src/http/mod.ts";
import { assertQuick } from "../../_kit/quick.ts";

const MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER = "Sun, 06 Nov 1994 08:49:38 GMT";
const EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT";
const mtimeNs = BigInt(Date.parse(MODIFIED)) * 1_000_000n + 123_456_789n;
const TAG = `"${mtimeNs.toString(16)}-14"`;
const FILE: PlanFile = { name: "folder/file.txt", size: 20, mtimeNs };

interface Asked {
  readonly method?: string;
  readonly file?: Partial<PlanFile>;
  readonly options?: PlanOptions;
}

function answer(
  headers: Record<string, string> = {},
  { method = "GET", file = {}, options }: Asked = {},
) {
  const request = { method, header: (name: string) => headers[name] };
  return planResponse(request, { ...FILE, ...file }, options);
}

/** The body of a plan, with `.` for each byte of the file. */
function bodyOf(plan: ReturnType<typeof answer>): string {
  const decoder = new TextDecoder();
  const pieces = plan.parts.map((part) =>
    part instanceof Uint8Array ? decoder.decode(part) : ".".repeat(part.length)
  );
  return pieces.join("");
}

describe("planResponse()", () => {
  it("sends the whole file with its validators", () => {
    assert.deepEqual(answer(), {
      status: 200,
      headers: {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": "20",
        "Last-Modified": MODIFIED,
        "ETag": TAG,
        "Cache-Control": "public, max-age=0",
        "Accept-Ranges": "bytes",
      },
      parts: [{ start: 0, length: 20 }],
      length: 20,
    });
  });

  it("says the same to HEAD, without a body, and knows no range of it", () => {
    const { status, headers, parts, length } = answer({ range: "bytes=0-4" }, { method: "HEAD" });
    assert.equal(status, 200);
    assert.deepEqual(headers, answer().headers);
    assert.deepEqual([parts, length], [[], 0]);
  });

  it("refuses other methods, and tells OPTIONS which there are", () => {
    for (const method of ["POST", "PUT", "DELETE", "TRACE", "get", ""]) {
      const { status, headers, parts } = answer({}, { method });
      assert.equal(status, 405);
      assert.equal(headers["Allow"], "GET, HEAD, OPTIONS");
      assert.deepEqual(parts, []);
    }
    const { status, headers } = answer({}, { method: "OPTIONS" });
    assert.equal(status, 204);
    assert.deepEqual(headers, { "Allow": "GET, HEAD, OPTIONS" });
  });

  it("has nothing to send of an empty file", () => {
    const { status, headers, parts } = answer({ range: "bytes=0-" }, { file: { size: 0 } });
    assert.equal(status, 200);
    assert.equal(headers["Content-Length"], "0");
    assert.deepEqual(parts, []);
  });

  it("never says that a file was modified in the future", () => {
    const ahead = BigInt(Date.now() + 3_600_000) * 1_000_000n;
    const { headers } = answer({}, { file: { mtimeNs: ahead } });
    assert.ok(Date.parse(headers["Last-Modified"]!) <= Date.now());
  });

  it("returns one and the same plan for the same representation", async () => {
    const { describeFile, planFile, settingsOf } = await import("../../../src/http/rules/mod.ts");
    const representation = describeFile(FILE, settingsOf({}));
    const request = { method: "GET", header: () => undefined };
    assert.equal(planFile(request, representation), planFile(request, representation));
    assert.equal(planFile(request, representation), representation.whole);
  });
});

describe("planResponse() with Range", () => {
  const single: [range: string, start: number, length: number][] = [
    ["bytes=0-0", 0, 1],
    ["bytes=5-9", 5, 5],
    ["bytes=5-", 5, 15],
    ["bytes=5-999", 5, 15],
    ["bytes=-5", 15, 5],
    ["bytes=-999", 0, 20],
    ["BYTES=0-1", 0, 2],
    ["bytes= 0-1 , ,", 0, 2],
    ["bytes=,0-1", 0, 2],
    ["bytes=19-19", 19, 1],
    ["bytes=0-1,20-30", 0, 2],
    ["bytes=99-,-0,5-5", 5, 1],
    ["bytes=0-18446744073709551615", 0, 20],
    ["bytes=-9223372036854775809", 0, 20],
    ["bytes=00000000000000000000005-0000000000000000000006", 5, 2],
  ];
  for (const [range, start, length] of single) {
    it(`sends ${length} bytes from ${start} for "${range}"`, () => {
      const { status, headers, parts } = answer({ range });
      assert.equal(status, 206);
      assert.deepEqual(parts, [{ start, length }]);
      assert.equal(headers["Content-Range"], `bytes ${start}-${start + length - 1}/20`);
      assert.equal(headers["Content-Length"], String(length));
      assert.equal(headers["ETag"], TAG);
    });
  }

  const none = ["bytes=20-", "bytes=20-30", "bytes=-0", "bytes=9223372036854775808-"]
    .concat(["bytes=20-,-0", "bytes=9007199254740993-9007199254740993", "bytes=-00"]);
  for (const range of none) {
    it(`refuses "${range}", which names no byte of the file`, () => {
      const { status, headers, parts } = answer({ range });
      assert.equal(status, 416);
      assert.equal(headers["Content-Range"], "bytes */20");
      assert.equal(headers["Content-Length"], "0");
      assert.equal(headers["Content-Type"], undefined);
      assert.equal(headers["Cache-Control"], undefined);
      assert.deepEqual(parts, []);
    });
  }

  const ignored = ["bytes=5-2", "bytes=a-b", "bytes=-", "lines=0-1", "", "bytes=+1-2", "bytes 0-1"]
    .concat(["bytes=", "bytes=,", "bytes=0-1;", "bytes=0 -1", "bytes=0-1 2-3", "bytes=0x1-2"])
    .concat(["bytes=9007199254740993-9007199254740992", "bytes=0-1, bytes=2-3", "bytes=1"])
    .concat(["bytes=0-19,0-0", "bytes=0-,0-,0-", "bytes=-10,-11", "bytes=0-1,5-2"]);
  for (const range of ignored) {
    it(`ignores "${range}"`, () => {
      assert.equal(answer({ range }).status, 200);
      assert.deepEqual(answer({ range }).parts, [{ start: 0, length: 20 }]);
    });
  }

  it("sends several ranges as parts of one body, in the order that was asked for", () => {
    const plan = answer({ range: "bytes=10-12,0-1,-1" });
    assert.equal(plan.status, 206);
    assert.equal(plan.headers["Content-Range"], undefined);
    const [, boundary] = /^multipart\/byteranges; boundary=(\w{21})$/
      .exec(plan.headers["Content-Type"]!)!;
    const part = (range: string, dots: string) =>
      `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Range: bytes ${range}/20\r\n\r\n${dots}\r\n`;
    const body = part("10-12", "...") + part("0-1", "..") + part("19-19", ".") +
      `--${boundary}--\r\n`;
    assert.equal(bodyOf(plan), body);
    assert.equal(plan.headers["Content-Length"], String(body.length));
    assert.equal(plan.length, body.length);
    assert.notEqual(answer({ range: "bytes=10-12,0-1,-1" }).headers["Content-Type"], boundary);
  });

  it("grants no more ranges than are allowed", () => {
    const range = `bytes=${Array.from({ length: 33 }, (_, i) => `${2 * i}-${2 * i}`).join(",")}`;
    assert.equal(answer({ range }, { file: { size: 100 } }).status, 200);
    const options = { maxRanges: 33 };
    const { status, parts } = answer({ range }, { file: { size: 100 }, options });
    assert.equal(status, 206);
    assert.equal(parts.length, 67);
  });

  it("sends the whole of a sidecar rather than several ranges of it", () => {
    const file = { coding: "br" } as const;
    assert.equal(answer({ range: "bytes=0-1,3-4" }, { file }).status, 200);
    assert.equal(answer({ range: "bytes=0-1" }, { file }).headers["Content-Encoding"], "br");
  });

  it("takes a file for coded that a header says it of", () => {
    const options = { headers: { "content-encoding": "gzip" } };
    const { status, headers } = answer({ range: "bytes=0-1,3-4" }, { options });
    assert.equal(status, 200);
    assert.equal(headers["content-encoding"], "gzip");
  });

  it("can be turned off", () => {
    const { status, headers } = answer({ range: "bytes=0-1" }, {
      options: { acceptRanges: false },
    });
    assert.equal(status, 200);
    assert.equal(headers["Accept-Ranges"], undefined);
  });

  it("answers a header of 16 KiB at once", () =>
    assertQuick(1000, () => {
      const started = performance.now();
      const bombs = ["0-,", "0-0,", " ", ",", "\t,", "9", "-", "0-0 "];
      for (const bomb of bombs) {
        const text = bomb.repeat(16_000 / bomb.length);
        for (
          const name of ["range", "if-none-match", "if-match", "if-range", "if-modified-since"]
        ) {
          answer({ [name]: `bytes=${text}`, range: `bytes=${text}` });
          answer({ [name]: text });
          answer({ [name]: `W/"${text}` });
          answer({ [name]: `${TAG}${text}${TAG}x` });
        }
      }
      answer({ "if-none-match": 'W/"'.repeat(5000) });
      return performance.now() - started;
    }));
});

describe("planResponse() with conditions", () => {
  const conditions: [string, Record<string, string>, number][] = [
    ["the tag", { "if-none-match": TAG }, 304],
    ["the tag as a weak one", { "if-none-match": `W/${TAG}` }, 304],
    ["the tag in a list", { "if-none-match": `"a", ${TAG} ,"b"` }, 304],
    ["the tag in a list with commas inside", { "if-none-match": `"a,b",, ${TAG}` }, 304],
    ["the tag within another", { "if-none-match": `"a${TAG.slice(1, -1)}"` }, 200],
    ["the tag behind nonsense", { "if-none-match": `a, ${TAG}` }, 200],
    ["any tag", { "if-none-match": "*" }, 304],
    ["another tag, whatever the date", { "if-none-match": '"a"', "if-modified-since": LATER }, 200],
    ["no tag at all", { "if-none-match": "" }, 200],
    ["the date", { "if-modified-since": MODIFIED }, 304],
    ["a later date", { "if-modified-since": LATER }, 304],
    ["an earlier date", { "if-modified-since": EARLIER }, 200],
    ["the date as in RFC 850", { "if-modified-since": "Sunday, 06-Nov-94 08:49:37 GMT" }, 304],
    ["the date as of asctime()", { "if-modified-since": "Sun Nov  6 08:49:37 1994" }, 304],
    ["no date at all", { "if-modified-since": "yesterday" }, 200],
    ["a number for a date", { "if-modified-since": "99999999999999" }, 200],
    ["a date that V8 takes", { "if-modified-since": "2030-01-01" }, 200],
    ["the tag of a range", { "if-none-match": TAG, range: "bytes=0-1" }, 304],
    ["the right tag to match", { "if-match": TAG }, 200],
    ["the right tag in a list to match", { "if-match": `"a",${TAG}` }, 200],
    ["any tag to match", { "if-match": "*" }, 200],
    ["another tag to match", { "if-match": '"a"' }, 412],
    ["a weak tag to match", { "if-match": `W/${TAG}` }, 412],
    ["another tag to match for a range", { "if-match": '"a"', range: "bytes=99-" }, 412],
    ["a date before the change", { "if-unmodified-since": EARLIER }, 412],
    ["the date of the change", { "if-unmodified-since": MODIFIED }, 200],
    ["a date after the change", { "if-unmodified-since": LATER }, 200],
    ["a bad date for the change", { "if-unmodified-since": "never" }, 200],
    ["a tag to match and an old date", { "if-match": TAG, "if-unmodified-since": EARLIER }, 200],
    ["both kinds of tags", { "if-match": TAG, "if-none-match": TAG }, 304],
    ["a failed match and the tag", { "if-match": '"a"', "if-none-match": TAG }, 412],
  ];
  for (const [what, headers, status] of conditions) {
    for (const method of ["GET", "HEAD"]) {
      it(`answers ${status} to ${method} with ${what}`, () => {
        const planned = answer(headers, { method });
        assert.equal(planned.status, status);
        assert.equal(planned.headers["ETag"], TAG);
        assert.equal("Content-Length" in planned.headers, status !== 304);
        assert.equal("Content-Type" in planned.headers, status === 200);
        assert.equal(planned.length, status === 200 && method === "GET" ? 20 : 0);
      });
    }
  }

  it("tells a cache what it needs to know in a 304, and no more", () => {
    const options = { cors: true, headers: { "X-A": "b", "Content-Language": "en" } };
    const plan = answer({ "if-none-match": TAG }, { options: { ...options, precompressed: true } });
    assert.deepEqual(Object.keys(plan.headers).sort(), [
      "Access-Control-Allow-Origin",
      "Access-Control-Expose-Headers",
      "Cache-Control",
      "ETag",
      "Vary",
      "X-A",
    ]);
  });

  it("goes by the date alone without tags, and by nothing without both", () => {
    const dates = { etag: false };
    assert.equal(answer({ "if-modified-since": MODIFIED }, { options: dates }).status, 304);
    const { headers } = answer({ "if-modified-since": MODIFIED }, { options: dates });
    assert.equal(headers["Last-Modified"], MODIFIED);
    assert.equal(answer({ "if-none-match": TAG }, { options: dates }).status, 200);
    assert.equal(answer({ "if-none-match": "*" }, { options: dates }).status, 304);
    assert.equal(answer({ "if-match": TAG }, { options: dates }).status, 412);
    const neither = { etag: false, lastModified: false };
    const all = { "if-modified-since": LATER, "if-unmodified-since": EARLIER };
    assert.equal(answer(all, { options: neither }).status, 200);
  });

  const versions: [string, string, number][] = [
    ["the tag", TAG, 206],
    ["the tag as a weak one", `W/${TAG}`, 200],
    ["another tag", '"a"', 200],
    ["the date", MODIFIED, 206],
    ["a later date", LATER, 200],
    ["an earlier date", EARLIER, 200],
    ["no date", "now", 200],
    ["nothing", "", 200],
  ];
  for (const [what, version, status] of versions) {
    it(`answers ${status} to a range of the version with ${what}`, () => {
      assert.equal(answer({ range: "bytes=0-4", "if-range": version }).status, status);
      assert.equal(answer({ "if-range": version }).status, 200);
    });
  }
});
