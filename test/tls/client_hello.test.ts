import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Hello, MOST_HELLO_BYTES, readClientHello } from "../../src/tls/client_hello.ts";

const encoder = new TextEncoder();

function vector(width: number, ...parts: Uint8Array[]): Uint8Array {
  const body = join(...parts);
  const head = new Uint8Array(width);
  for (let i = 0, rest = body.length; i < width; i++, rest >>= 8) head[width - 1 - i] = rest & 255;
  return join(head, body);
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const extension = (type: number, body: Uint8Array) =>
  join(Uint8Array.of(type >> 8, type & 255), vector(2, body));
const serverName = (name: string) =>
  extension(0, vector(2, Uint8Array.of(0), vector(2, encoder.encode(name))));
const alpn = (...names: string[]) =>
  extension(16, vector(2, ...names.map((name) => vector(1, encoder.encode(name)))));
const statusRequest = () => extension(5, Uint8Array.of(1, 0, 0, 0, 0));
const sessionTicket = (ticket: Uint8Array) => extension(35, ticket);
const psk = (...tickets: Uint8Array[]) =>
  extension(
    41,
    join(
      vector(2, ...tickets.map((ticket) => join(vector(2, ticket), new Uint8Array(4)))),
      vector(2, vector(1, new Uint8Array(32))),
    ),
  );

function message(...extensions: Uint8Array[]): Uint8Array {
  const body = join(
    Uint8Array.of(3, 3),
    new Uint8Array(32),
    vector(1, new Uint8Array(32)),
    vector(2, Uint8Array.of(0x13, 1, 0x13, 2)),
    vector(1, Uint8Array.of(0)),
    vector(2, ...extensions),
  );
  return join(Uint8Array.of(1), vector(3, body));
}

/** The message in records of at most `size` bytes. */
function records(bytes: Uint8Array, size = 16_384): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(join(Uint8Array.of(22, 3, 1), vector(2, bytes.subarray(at, at + size))));
  }
  return join(...pieces);
}

const ticket = (first: number) => Uint8Array.from({ length: 200 }, (_, i) => (first + i) & 255);

describe("readClientHello()", () => {
  it("reads what a server must know", () => {
    const hello = readClientHello(
      records(
        message(serverName("WWW.Example.COM."), alpn("h2", "http/1.1"), statusRequest()),
      ),
    );
    assert.deepEqual(hello, {
      state: Hello.READ,
      serverName: "www.example.com",
      protocols: ["h2", "http/1.1"],
      wantsStatus: true,
      ticketKeys: [],
    });
  });

  it("reads a message without any extension", () => {
    const bytes = message();
    const bare = join(Uint8Array.of(1), vector(3, bytes.subarray(4, bytes.length - 2)));
    for (const whole of [bytes, bare]) {
      const { protocols, serverName: name, state } = readClientHello(records(whole));
      assert.deepEqual([state, name, protocols], [Hello.READ, "", null]);
    }
  });

  it("finds the names of the keys that encrypted the tickets", () => {
    const { ticketKeys } = readClientHello(
      records(message(sessionTicket(ticket(1)), psk(ticket(2), ticket(3)))),
    );
    assert.deepEqual(ticketKeys.map(([first]) => first), [1, 2, 3]);
    assert.ok(ticketKeys.every(({ length }) => length === 16));
    assert.deepEqual(
      readClientHello(records(message(sessionTicket(new Uint8Array())))).ticketKeys,
      [],
    );
  });

  it("waits for all of it, however it is cut into records and pieces", () => {
    const whole = message(serverName("localhost"), alpn("http/1.1"));
    for (const size of [1, 2, 3, 4, 5, 7, 50, 16_384]) {
      const bytes = records(whole, size);
      for (let length = 0; length < bytes.length; length++) {
        const { state } = readClientHello(bytes.subarray(0, length));
        assert.equal(state, Hello.INCOMPLETE, `${length} of ${bytes.length} in records of ${size}`);
      }
      assert.equal(readClientHello(bytes).serverName, "localhost");
    }
  });

  it("knows what is no TLS", () => {
    for (
      const text of ["GET / HTTP/1.1\r\n", "\r\n", "SSH-2.0-x\r\n", "\x80\x2e\x01"]
    ) {
      const bytes = Uint8Array.from(`${text}\0\0\0\0`, (c) => c.charCodeAt(0));
      assert.equal(readClientHello(bytes).state, Hello.NOT_TLS, JSON.stringify(text));
    }
  });

  it("leaves to OpenSSL what is malformed", () => {
    const good = records(message(serverName("localhost")));
    const serverHello = Uint8Array.from(good);
    serverHello[5] = 2;
    const empty = Uint8Array.of(22, 3, 1, 0, 0, 22, 3, 1);
    const text = Uint8Array.of(22, 2, 1, 0, 0, 13, 10);
    const long = Uint8Array.of(22, 3, 1, 0x40, 1, 1);
    const huge = join(
      Uint8Array.of(22, 3, 1, 0, 4, 1),
      vector(3, new Uint8Array(MOST_HELLO_BYTES)),
    );
    const alert = join(good.subarray(0, 4), Uint8Array.of(2, 1, 0), Uint8Array.of(21, 3, 3, 0, 2));
    const others = [20, 21, 23, 24].map((kind) => Uint8Array.of(kind, 3, 3, 0, 2, 1, 0));
    for (const bytes of [serverHello, empty, text, long, huge, alert, ...others]) {
      assert.equal(readClientHello(bytes).state, Hello.MALFORMED);
    }
  });

  it("never throws, and never reads beyond a length", () => {
    const seeds = [
      records(message(serverName("localhost"), alpn("h2", "http/1.1"), statusRequest())),
      records(message(psk(ticket(1), ticket(2)), sessionTicket(ticket(3))), 30),
    ];
    const places = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), places, fc.nat(2000), (seed, changes, cut) => {
        const bytes = Uint8Array.from(seed);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const { state } = readClientHello(bytes.subarray(0, cut));
        assert.ok(state >= Hello.INCOMPLETE && state <= Hello.NOT_TLS);
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        readClientHello(bytes);
      }),
      { numRuns: 3000 },
    );
  });
});
