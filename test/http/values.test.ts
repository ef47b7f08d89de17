import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listingJson } from "../../src/http/rules/listing.ts";
import { trimBlanks } from "../../src/http/rules/blanks.ts";
import { parseRanges } from "../../src/http/rules/ranges.ts";
import { describeFile } from "../../src/http/rules/representation.ts";
import { settingsOf } from "../../src/http/rules/settings.ts";
import { planResponse } from "../../src/http/mod.ts";
import {
  formatCombined,
  formatEvent,
  type RequestEvent,
} from "../../src/http/server/thread/log_format.ts";
import { assertQuick } from "../_kit/quick.ts";

const EVENT: RequestEvent = {
  id: 1,
  time: 0,
  client: "::1",
  method: "GET",
  target: "/a",
  minor: 1,
  status: 200,
  bytes: 0,
  total: 0,
  durationMs: 0,
  transfer: "memory",
  referer: "",
  userAgent: "",
  state: "done",
};

describe("values of header fields", () => {
  it("lose spaces and tabs alone, in time in proportion to their length", async () => {
    assert.equal(trimBlanks(" \t a\tb \t"), "a\tb");
    assert.equal(trimBlanks("\xa0a\u2003\ufeff"), "\xa0a\u2003\ufeff");
    assert.equal(trimBlanks(" \t "), "");
    const long = `x${" ".repeat(1_000_000)}x`;
    await assertQuick(1000, () => {
      const began = performance.now();
      assert.equal(trimBlanks(long).length, long.length);
      return performance.now() - began;
    });
  });

  it("are compared byte for byte", () => {
    const file = { name: "a", size: 20, mtimeNs: 0n };
    const status = (headers: Record<string, string>) =>
      planResponse({ method: "GET", header: (name) => headers[name] }, file).status;
    assert.equal(status({ "range": "bytes=0-1" }), 206);
    assert.equal(status({ "range": "bytes=0-1 " }), 206);
    assert.equal(status({ "range": "\xa0bytes=0-1" }), 200);
    assert.equal(status({ "if-none-match": "\xa0*" }), 200);
  });

  it("may have so many elements, empty ones included", async () => {
    const commas = ",".repeat(16_000);
    assert.equal(parseRanges(`bytes=${commas}`, 20, 32), null);
    assert.equal(parseRanges(`bytes=${commas}0-1`, 20, 32), null);
    assert.deepEqual(parseRanges(`bytes=,,0-1,,`, 20, 32), [{ start: 0, length: 2 }]);
    const many = Array.from({ length: 400 }, (_, i) => `${i}-${i}`).join(",");
    assert.equal(parseRanges(`bytes=${many}`, 400, 500)?.length, 400);
    assert.equal(parseRanges(`bytes=${many}`, 400, 32), null);
    const file = { name: "a", size: 20, mtimeNs: 0n };
    const list = `${'"a",'.repeat(4000)}"0-14"`;
    await assertQuick(500, () => {
      const began = performance.now();
      for (let i = 0; i < 1000; i++) {
        parseRanges(`bytes=${commas}`, 20, 32);
        const header = (name: string) => name === "if-none-match" ? list : undefined;
        planResponse({ method: "GET", header }, file);
      }
      return performance.now() - began;
    });
  });
});

describe("times of files that no calendar has", () => {
  const times = [10n ** 19n * 9n, -(10n ** 19n) * 9n, -(62_167_219_201n * 10n ** 9n)];

  it("are left out of heads and of listings in JSON", () => {
    const settings = settingsOf({});
    for (const mtimeNs of [...times, -1n, -(10n ** 18n)]) {
      const { whole } = describeFile({ name: "a", size: 1, mtimeNs }, settings);
      const modified = whole.headers["Last-Modified"];
      if (modified === undefined) continue;
      assert.match(modified, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/, String(mtimeNs));
    }
    for (const mtimeNs of times.slice(1)) {
      const { whole } = describeFile({ name: "a", size: 1, mtimeNs }, settings);
      assert.equal(whole.headers["Last-Modified"], undefined);
    }
    const entries = [1e30, -1e30, NaN, 0].map((modifiedMs, i) => (
      { name: String(i), kind: "file", size: 1, modifiedMs } as const
    ));
    const { entries: listed } = JSON.parse(listingJson({ names: [], entries, truncated: false }));
    assert.deepEqual(
      listed.map(({ modified }: { modified: unknown }) => modified),
      [null, null, null, "1970-01-01T00:00:00.000Z"],
    );
  });
});

describe("lines of a log", () => {
  it("have no control characters, of either set", () => {
    const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
    const event = { ...EVENT, target: all, userAgent: `${all}\u2028` };
    const combined = formatCombined({ ...event, userAgent: all });
    for (const line of [formatEvent(event), combined]) {
      // deno-lint-ignore no-control-regex -- none of them may be there
      assert.doesNotMatch(line.slice(0, -1), /[\0-\x1f\x7f-\x9f\u2028\u2029]/);
    }
    assert.equal(JSON.parse(formatEvent(event)).userAgent, `${all}\u2028`);
  });
});
