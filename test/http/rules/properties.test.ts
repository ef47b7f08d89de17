import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { planResponse } from "../../../src/http/mod.ts";
import { acceptedCodings, prefersJson } from "../../../src/http/rules/fields/codings.ts";
import { parseDate } from "../../../src/http/rules/fields/dates.ts";
import { attachment } from "../../../src/http/rules/fields/disposition.ts";
import { listingHtml } from "../../../src/http/rules/listing.ts";
import { planRedirect } from "../../../src/http/rules/messages.ts";
import { parseRanges, UNSATISFIABLE } from "../../../src/http/rules/ranges.ts";
import { encodePath, parseTarget } from "../../../src/http/rules/target.ts";

const RUNS = { numRuns: 300 };

/** Text that looks like what the parsers know, so that they get beyond its first character. */
const near = (...tokens: string[]): fc.Arbitrary<string> =>
  fc.array(
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...tokens) }, fc.string({ maxLength: 3 })),
    {
      maxLength: 30,
    },
  ).map((parts) => parts.join(""));

const rangeText = near(
  "bytes=",
  "-",
  ",",
  " ",
  "0",
  "1",
  "19",
  "20",
  "999",
  "99999999999999999999",
);
const tagText = near('"', "W/", ",", " ", "*", '"a"', "\t");
const dateText = near("Sun, ", "06 Nov 1994 ", "08:49:37", " GMT", "Sunday, ", "06-Nov-94", "2030");
const targetText = near(
  "/",
  "..",
  ".",
  "%",
  "%2e",
  "%2f",
  "%00",
  "a",
  "?",
  "#",
  "\\",
  "http://h",
  "%c3",
);
const acceptText = near(
  "gzip",
  "br",
  "*",
  ";q=",
  "0",
  "1",
  ".5",
  ",",
  " ",
  "identity",
  "text/html",
);

const size = fc.oneof(fc.constantFrom(0, 1, 20), fc.maxSafeNat());

/** The grammar of a list of ranges, written out: RFC 9110, 14.1. */
function model(ranges: readonly (readonly [number | null, number | null])[], size: number) {
  const parts: { start: number; length: number }[] = [];
  for (const [first, last] of ranges) {
    if (first === null) {
      const length = Math.min(last!, size);
      if (length > 0) parts.push({ start: size - length, length });
    } else if (first < size) {
      parts.push({ start: first, length: Math.min(last ?? size - 1, size - 1) - first + 1 });
    }
  }
  return parts;
}

const rangeSpec = (limit: number) =>
  fc.oneof(
    fc.tuple(fc.nat(limit), fc.constant(null)),
    fc.tuple(fc.constant(null), fc.nat(limit)),
    fc.tuple(fc.nat(limit), fc.nat(limit)).map(([a, b]) =>
      [Math.min(a, b), Math.max(a, b)] as const
    ),
  );

describe("parseRanges()", () => {
  it("does what the model does with every valid header", () => {
    const lists = fc.integer({ min: 1, max: 200 }).chain((size) =>
      fc.tuple(fc.constant(size), fc.array(rangeSpec(size * 2), { minLength: 1, maxLength: 6 }))
    );
    fc.assert(
      fc.property(lists, ([size, ranges]) => {
        const text = ranges.map(([first, last]) => `${first ?? ""}-${last ?? ""}`).join(", ");
        const expected = model(ranges, size);
        const sum = expected.reduce((total, { length }) => total + length, 0);
        const parsed = parseRanges(`bytes=${text}`, size, 32);
        if (sum > size) assert.equal(parsed, null);
        else if (expected.length === 0) assert.equal(parsed, UNSATISFIABLE);
        else assert.deepEqual(parsed, expected);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("planResponse()", () => {
  it("never throws, and its parts always lie within the file and make up Content-Length", () => {
    const header = fc.record({
      "range": rangeText,
      "if-range": fc.oneof(tagText, dateText),
      "if-match": tagText,
      "if-none-match": tagText,
      "if-modified-since": dateText,
      "if-unmodified-since": dateText,
      "origin": fc.string(),
    }, { requiredKeys: [] });
    const file = fc.record({
      size,
      mtimeNs: fc.bigInt(-(2n ** 60n), 2n ** 62n),
      name: fc.string(),
    });
    const options = fc.constantFrom(
      {},
      { etag: false },
      { cors: { origin: "https://a.example" }, download: true },
      { acceptRanges: false, precompressed: true },
    );
    fc.assert(
      fc.property(
        header,
        file,
        options,
        fc.constantFrom("GET", "HEAD"),
        (headers, file, options, method) => {
          const request = { method, header: (name: string) => headers[name as "range"] };
          const { status, headers: sent, parts, length } = planResponse(request, file, options);
          assert.ok([200, 206, 304, 412, 416].includes(status));
          let sum = 0;
          for (const part of parts) {
            sum += part.length;
            if (part instanceof Uint8Array) continue;
            assert.ok(part.start >= 0 && part.length > 0 && part.start + part.length <= file.size);
          }
          assert.equal(sum, length);
          if (status === 304) assert.equal(sent["Content-Length"], undefined);
          else if (method === "GET") assert.equal(sent["Content-Length"], String(length));
          else assert.equal(length, 0);
          if (status === 206) assert.ok(length <= file.size + 32 * 200);
          for (const [name, value] of Object.entries(sent)) {
            assert.doesNotMatch(`${name}: ${value}`, /[^\x20-\xff]|\x7f/);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("gives each byte of a multipart body a place that Content-Range tells", () => {
    const apart = fc.uniqueArray(fc.nat(99), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(apart, (positions) => {
        const range = `bytes=${positions.map((at) => `${at}-${at}`).join(",")}`;
        const request = {
          method: "GET",
          header: (name: string) => name === "range" ? range : null,
        };
        const { headers, parts } = planResponse(request, { name: "a", size: 100, mtimeNs: 0n });
        const bytes = parts.map((part) =>
          part instanceof Uint8Array ? new TextDecoder().decode(part) : `<${part.start}>`
        ).join("");
        const boundary = headers["Content-Type"]!.split("boundary=")[1]!;
        const pieces = bytes.split(`--${boundary}`).slice(1, -1);
        assert.deepEqual(
          pieces.map((piece) => /bytes (\d+)-(\d+)\/100\r\n\r\n<(\d+)>\r\n$/.exec(piece)!.slice(1)),
          positions.map((at) => [String(at), String(at), String(at)]),
        );
      }),
      RUNS,
    );
  });
});

describe("parseTarget()", () => {
  it("never throws, and never gives a name that could lead elsewhere", () => {
    fc.assert(
      fc.property(
        fc.oneof(targetText, fc.string()),
        fc.constantFrom("allow", "ignore"),
        (text, dots) => {
          const target = parseTarget(text, dots as "allow");
          if (typeof target === "number") return;
          for (const name of target.names) {
            // deno-lint-ignore no-control-regex -- NUL ends a path in C
            assert.doesNotMatch(name, /^$|^\.\.?$|[/\\\x00-\x1f\x7f]/);
            if (dots === "ignore") assert.ok(name[0] !== "." || name === ".well-known");
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("finds its way back from every path that encodePath() makes", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((name) =>
      // deno-lint-ignore no-control-regex -- names that are refused
      !/^\.|[/\\\x00-\x1f\x7f]/.test(name)
    );
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
        assert.deepEqual(parseTarget(encodePath(names)), { names, folder: false, query: "" });
      }),
      RUNS,
    );
  });
});

describe("planRedirect()", () => {
  it("never leads to another host, and never ends the header", () => {
    const base = "http://host/a/b/c?x";
    fc.assert(
      fc.property(fc.oneof(targetText, fc.string({ unit: "binary" })), (text) => {
        const { headers } = planRedirect({ method: "GET", header: () => null }, text);
        const location = headers["Location"]!;
        assert.match(location, /^\.\/[!-~]*$/);
        assert.equal(new URL(location, base).host, "host");
      }),
      RUNS,
    );
  });
});

describe("the other parsers", () => {
  it("never throw", () => {
    fc.assert(
      fc.property(fc.oneof(acceptText, fc.string()), (text) => {
        const codings = acceptedCodings(text, ["br", "zstd", "gzip"]);
        assert.ok(codings.every((coding) => ["br", "zstd", "gzip"].includes(coding)));
        prefersJson(text);
        const seconds = parseDate(text);
        assert.ok(Number.isNaN(seconds) || Number.isInteger(seconds));
      }),
      RUNS,
    );
  });

  it("read every date that is written by the book", () => {
    const date = fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(date, (date) => {
        assert.equal(parseDate(date.toUTCString()), Math.floor(date.getTime() / 1000));
      }),
      RUNS,
    );
  });
});

describe("attachment()", () => {
  it("gives the name back, whatever it is, in one line of ASCII", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        const value = attachment(name);
        assert.match(
          value,
          /^attachment; filename="(?:[^"\\]|\\.)*"(?:; filename\*=UTF-8''[\w%.~!$&+^`|#-]*)?$/,
        );
        assert.match(value, /^[ -~]*$/);
        const [, encoded] = /filename\*=UTF-8''(.*)$/.exec(value) ?? [];
        const [, plain] = /filename="((?:[^"\\]|\\.)*)"/.exec(value)!;
        const read = encoded === undefined
          ? plain!.replace(/\\(.)/g, "$1")
          : decodeURIComponent(encoded);
        assert.equal(read, name.toWellFormed());
      }),
      RUNS,
    );
  });
});

describe("listingHtml()", () => {
  it("shows names of every kind as text, and links to nothing but them", () => {
    const name = fc.oneof(
      fc.string({ minLength: 1 }),
      near("<", ">", '"', "'", "&", "javascript:", "://"),
    );
    fc.assert(
      fc.property(name.filter((name) => name !== ""), (name) => {
        const entry = { name, kind: "file", size: 1, modifiedMs: 0 } as const;
        const html = listingHtml({ names: ["a"], entries: [entry], truncated: false });
        const tags = html.match(/<[^>]*>/g)!.map((tag) =>
          tag.replace(/href="\.\/[^"<>]*"/, "href")
        );
        const known =
          /^<(?:!doctype html|meta charset="utf-8"|\/?(?:title|h1|ul|a|small)|li|a href|a href="\.\.\/")>$/;
        for (const tag of tags) assert.match(tag, known);
        assert.ok(html.includes(`href="./${encodeURIComponent(name.toWellFormed())}"`));
      }),
      RUNS,
    );
  });
});
