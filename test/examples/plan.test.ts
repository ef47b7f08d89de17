import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plan } from "../../examples/file_server/plan.ts";
import { assertQuick } from "../_kit/quick.ts";

const MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER = "Sun, 06 Nov 1994 08:49:38 GMT";
const EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT";
const mtimeNs = BigInt(Date.parse(MODIFIED)) * 1_000_000n + 123_456_789n;
const TAG = `"${mtimeNs.toString(16)}-14"`;

function answer(headers: Record<string, string>, { method = "GET", size = 20 } = {}) {
  const request = { method, target: "/", header: (name: string) => headers[name] };
  return plan(request, { size, mtimeNs });
}

describe("plan()", () => {
  it("sends the whole file with its validators", () => {
    assert.deepEqual(answer({}), {
      status: 200,
      headers: {
        "ETag": TAG,
        "Last-Modified": MODIFIED,
        "Cache-Control": "no-cache",
        "Accept-Ranges": "bytes",
        "Content-Length": "20",
      },
      part: { start: 0, length: 20 },
    });
  });

  const ranges: [range: string, start: number, length: number][] = [
    ["bytes=0-0", 0, 1],
    ["bytes=5-9", 5, 5],
    ["bytes=5-", 5, 15],
    ["bytes=5-999", 5, 15],
    ["bytes=-5", 15, 5],
    ["bytes=-999", 0, 20],
    ["BYTES=0-1", 0, 2],
    ["bytes=19-19", 19, 1],
    ["bytes=0-18446744073709551615", 0, 20],
    ["bytes=-9223372036854775809", 0, 20],
  ];
  for (const [range, start, length] of ranges) {
    it(`sends ${length} bytes from ${start} for "${range}"`, () => {
      const { status, headers, part } = answer({ range });
      assert.equal(status, 206);
      assert.deepEqual(part, { start, length });
      assert.equal(headers["Content-Range"], `bytes ${start}-${start + length - 1}/20`);
      assert.equal(headers["Content-Length"], String(length));
    });
  }

  for (const range of ["bytes=20-", "bytes=20-30", "bytes=-0", "bytes=9223372036854775808-"]) {
    it(`refuses "${range}", which names no byte of the file`, () => {
      const { status, headers, part } = answer({ range });
      assert.equal(status, 416);
      assert.equal(headers["Content-Range"], "bytes */20");
      assert.equal(headers["Content-Length"], "0");
      assert.equal(part.length, 0);
    });
  }

  const ignored = [
    "bytes=5-2",
    "bytes=a-b",
    "bytes=-",
    "lines=0-1",
    "",
    "bytes=0-1,3-4",
    "bytes=+1-2",
  ];
  for (const range of ignored) {
    it(`ignores "${range}"`, () => {
      assert.equal(answer({ range }).status, 200);
      assert.equal(answer({ range }).part.length, 20);
    });
  }

  it("ignores a range of an empty file, and one that comes with HEAD", () => {
    assert.equal(answer({ range: "bytes=0-" }, { size: 0 }).status, 200);
    assert.equal(answer({ range: "bytes=0-4" }, { method: "HEAD" }).status, 200);
  });

  it("answers a header of 16 KiB at once", () =>
    assertQuick(100, () => {
      const started = performance.now();
      answer({ range: `bytes=${"0-,".repeat(5000)}` });
      answer({ range: `bytes=${"0".repeat(16_000)}-` });
      answer({ "if-none-match": 'W/"'.repeat(5000) });
      answer({ "if-none-match": ",".repeat(16_000) });
      return performance.now() - started;
    }));

  const conditions: [string, Record<string, string>, number][] = [
    ["the tag", { "if-none-match": TAG }, 304],
    ["the tag as a weak one", { "if-none-match": `W/${TAG}` }, 304],
    ["the tag in a list", { "if-none-match": `"a", ${TAG} ,"b"` }, 304],
    ["any tag", { "if-none-match": "*" }, 304],
    ["another tag, whatever the date", { "if-none-match": '"a"', "if-modified-since": LATER }, 200],
    ["the date", { "if-modified-since": MODIFIED }, 304],
    ["a later date", { "if-modified-since": LATER }, 304],
    ["an earlier date", { "if-modified-since": EARLIER }, 200],
    ["no date at all", { "if-modified-since": "yesterday" }, 200],
    ["the tag of a range", { "if-none-match": TAG, range: "bytes=0-1" }, 304],
    ["the right tag to match", { "if-match": TAG }, 200],
    ["another tag to match", { "if-match": '"a"' }, 412],
    ["a weak tag to match", { "if-match": `W/${TAG}` }, 412],
    ["a date before the change", { "if-unmodified-since": EARLIER }, 412],
    ["a date after the change", { "if-unmodified-since": LATER }, 200],
    ["a tag to match and an old date", { "if-match": TAG, "if-unmodified-since": EARLIER }, 200],
  ];
  for (const [what, headers, status] of conditions) {
    it(`answers ${status} to ${what}`, () => {
      const planned = answer(headers);
      assert.equal(planned.status, status);
      assert.equal(planned.headers["ETag"], TAG);
      assert.equal("Content-Length" in planned.headers, status !== 304);
      assert.equal(planned.part.length, status === 200 ? 20 : 0);
    });
  }

  const versions: [string, string, number][] = [
    ["the tag", TAG, 206],
    ["the tag as a weak one", `W/${TAG}`, 200],
    ["another tag", '"a"', 200],
    ["the date", MODIFIED, 206],
    ["a later date", LATER, 200],
    ["no date", "now", 200],
  ];
  for (const [what, version, status] of versions) {
    it(`answers ${status} to a range of the version with ${what}`, () => {
      assert.equal(answer({ range: "bytes=0-4", "if-range": version }).status, status);
    });
  }
});
