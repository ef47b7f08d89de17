import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Chunked, Counted } from "../../../../src/http/server/proxy/framing.ts";
import {
  endOfHead,
  readResponse,
  type ResponseHead,
} from "../../../../src/http/server/proxy/response.ts";
import { latin1, latin1Bytes } from "../../../../src/http/server/parser/syntax.ts";

const ASKED = { bodiless: false, minor: 1, upgrade: false };
const DATE = latin1Bytes("now");

/** The lines for the client, without the last ones. */
function textOf({ lines }: ResponseHead): string {
  return latin1(lines, 0, lines.length);
}

/** Scans a text in pieces of `size`; where it ended, or -1. */
function scan(text: string, size: number): number {
  const bytes = latin1Bytes(text);
  const framing = new Chunked();
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + size);
    const next = framing.scan(bytes, at, end);
    if (next < 0) return -1;
    if (framing.done) return next;
    at = next;
  }
  return bytes.length + 1;
}

describe("Chunked", () => {
  it("ends where the body ends, however it is cut", () => {
    const bodies = [
      "0\r\n\r\n",
      "5\r\nhello\r\n0\r\n\r\n",
      'a;x=1;y="2"\r\n0123456789\r\n0000\r\nDigest: abc\r\nB:\r\n\r\n',
      "1\r\n\n\r\nF\r\n\r\n0\r\n\r\nABCDEFGH\r\n0\r\n\r\n",
    ];
    for (const body of bodies) {
      for (let size = 1; size <= body.length; size++) {
        assert.equal(scan(`${body}GET / HTTP/1.1`, size), body.length, `${size}: ${body}`);
      }
    }
  });

  it("finds the end of every body that is written by the book, and never a byte more", () => {
    const hex = fc.integer({ min: 1, max: 300 }).chain((length) =>
      fc.record({
        data: fc.uint8Array({ minLength: length, maxLength: length }),
        zeros: fc.integer({ min: 0, max: 3 }),
        upper: fc.boolean(),
        extension: fc.constantFrom("", ";a", ";a=b", ';a="b;c"', ";\xff\t"),
      })
    );
    fc.assert(fc.property(
      fc.array(hex, { maxLength: 5 }),
      fc.constantFrom("", "A: b\r\n", "A:\r\nB: \xe4\r\n"),
      fc.string({ maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 64 })),
      (chunks, trailers, behind, sizes) => {
        const body = chunks.map(({ data, extension, upper, zeros }) => {
          const digits = data.length.toString(16);
          const length = "0".repeat(zeros) + (upper ? digits.toUpperCase() : digits);
          return `${length}${extension}\r\n${String.fromCharCode(...data)}\r\n`;
        }).join("") + `0\r\n${trailers}\r\n`;
        const bytes = latin1Bytes(body + behind);
        const framing = new Chunked();
        for (let at = 0; !framing.done;) {
          const { blind } = framing;
          const size = sizes.next().value!;
          if (blind > 1 && size > 32) {
            // As splice(2) does: without looking.
            const count = Math.min(blind, size);
            framing.skip(count);
            at += count;
          } else at = framing.scan(bytes, at, Math.min(bytes.length, at + size));
          if (framing.done) assert.equal(at, body.length);
        }
      },
    ));
  });

  it("and the reader of heads never throw, and never go back", () => {
    const text = fc.string({ unit: fc.constantFrom(..."0123456789abcF;:\r\n \t\0x") });
    fc.assert(fc.property(text, fc.nat(40), (text, cut) => {
      const bytes = latin1Bytes(text);
      const framing = new Chunked();
      const middle = Math.min(cut, bytes.length);
      const first = framing.scan(bytes, 0, middle);
      assert.ok(first === -1 || (first >= 0 && first <= middle));
      if (first === middle) {
        const second = framing.scan(bytes, middle, bytes.length);
        assert.ok(second === -1 || (second >= middle && second <= bytes.length));
      }
      const head = latin1Bytes(`HTTP/1.1 200 OK\r\n${text}\r\n\r\n`);
      const read = readResponse(head, endOfHead(head, 0), ASKED, DATE);
      // No byte that could end a line early has come through.
      if (read !== null) assert.doesNotMatch(textOf(read).replaceAll("\r\n", ""), /[\r\n\0]/);
    }));
  });

  it("refuses what another reader could understand in another way", () => {
    const bodies = [
      "\r\n",
      "5\nhello\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhello0\r\n\r\n",
      "5 \r\nhello\r\n0\r\n\r\n",
      " 5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n",
      "-5\r\nhello\r\n0\r\n\r\n",
      "0x5\r\nhello\r\n0\r\n\r\n",
      "5;\n\r\nhello\r\n0\r\n\r\n",
      "5;a\0\r\nhello\r\n0\r\n\r\n",
      "5\rX\nhello\r\n0\r\n\r\n",
      "fffffffffffff\r\n",
      "0\r\n folded\r\n\r\n",
      "0\r\nA: b\n\r\n\r\n",
      "0\r\n\r\r\n",
      "0\r\nGET / HTTP/1.1\r\n\rX",
      `5;${"x".repeat(10_000)}\r\n`,
    ];
    for (const body of bodies) {
      for (const size of [1, 3, body.length]) assert.equal(scan(body, size), -1, body);
    }
  });

  it("tells how much need not be looked at", () => {
    const framing = new Chunked();
    assert.equal(framing.blind, 0);
    const head = latin1Bytes("10000\r\nab");
    assert.equal(framing.scan(head, 0, head.length), head.length);
    assert.equal(framing.blind, 0x10000 - 2);
    framing.skip(0x10000 - 2);
    assert.equal(framing.blind, 0);
    const end = latin1Bytes("\r\n0\r\n\r\n");
    assert.equal(framing.scan(end, 0, end.length), end.length);
    assert.ok(framing.done);
  });
});

describe("Counted", () => {
  it("ends after so many bytes, or never", () => {
    const bytes = new Uint8Array(10);
    const five = new Counted(5);
    assert.equal(five.scan(bytes, 2, 4), 4);
    assert.equal(five.scan(bytes, 4, 10), 7);
    assert.ok(five.done);
    const all = new Counted(Infinity);
    assert.equal(all.scan(bytes, 0, 10), 10);
    assert.ok(!all.done && all.untilEnd);
  });
});

describe("readResponse()", () => {
  const read = (text: string, asked = {}) => {
    const bytes = latin1Bytes(text);
    return readResponse(bytes, endOfHead(bytes, 0), { ...ASKED, ...asked }, DATE);
  };

  it("leaves out what concerns one hop, and says where the body ends", () => {
    const head = read(
      "HTTP/1.1 200 Fine\r\nA: b\r\nConnection: close, X-Hop\r\nx-hop: 1\r\nKeep-Alive: timeout=5\r\n" +
        "Content-Length: 7\r\nDate: then\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nrest",
    )!;
    assert.equal(head.status, 200);
    assert.equal(
      textOf(head),
      "HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 7\r\nDate: then\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n",
    );
    assert.equal(head.framing.blind, 7);
    assert.match(textOf(read("HTTP/1.1 204 No Content\r\n\r\n")!), /Date: now\r\n$/);
  });

  it("knows answers without a body, and those that only the end ends", () => {
    assert.ok(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")!.framing.done);
    assert.ok(
      read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", { bodiless: true })!.framing.done,
    );
    assert.ok(read("HTTP/1.1 200\r\n\r\n")!.framing.untilEnd);
    assert.ok(read("HTTP/1.0 200 OK\r\n\r\n")!.framing.untilEnd);
    const chunked = read("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n")!;
    assert.ok(chunked.framing instanceof Chunked);
    assert.match(textOf(chunked), /\r\nTransfer-Encoding: chunked\r\n/);
  });

  it("refuses what contradicts itself", () => {
    const heads = [
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 200 O\0K\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
      "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    ];
    for (const head of heads) assert.equal(read(head), null, head);
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const old = read(chunked, { minor: 0 })!;
    assert.ok(old.untilEnd, "a client of HTTP/1.0 gets the data alone");
    assert.doesNotMatch(textOf(old), /chunked/);
  });
});
