import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Cell } from "../../ffi/libc/cell.ts";
import { backend } from "../../ffi/mod.ts";
import { errnoNumber } from "../../src/errors.ts";
import * as sys from "../../src/sys/mod.ts";
import { TlsAcceptor } from "../../src/tls/acceptor.ts";
import { makeClientContext } from "../../src/tls/client/client_context.ts";
import { TlsDialer } from "../../src/tls/client/dialer.ts";
import { freeContext } from "../../src/tls/context.ts";
import { TlsContexts } from "../../src/tls/contexts.ts";
import { Handshake } from "../../src/tls/hello_reader.ts";
import { openssl } from "../../src/tls/library.ts";
import { configureTls, type TlsOptions } from "../../src/tls/options.ts";
import { TlsSession } from "../../src/tls/session.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { Scope } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const EAGAIN = -errnoNumber("EAGAIN");
const RECORD = 16_384;
/** More turns than the longest exchange takes. */
const TURNS = 100_000;
const SIZES = [1, RECORD - 1, RECORD, RECORD + 1, 4 * RECORD, 4 * RECORD + 1, 300_001, 3 << 20];

/** Additional functions of OpenSSL, for what only unusual clients do. */
const MORE = {
  SSL_clear_options: { args: ["address", "u64"], returns: "i64" },
  SSL_ctrl: { args: ["address", "i32", "i64", "address"], returns: "i64" },
  SSL_do_handshake: { args: ["address"], returns: "i32" },
  SSL_key_update: { args: ["address", "i32"], returns: "i32" },
  SSL_renegotiate: { args: ["address"], returns: "i32" },
} as const;
const SSL_OP_NO_RENEGOTIATION = 1n << 30n;
const SSL_CTRL_SET_MAX_SEND_FRAGMENT = 52;
const SSL_KEY_UPDATE_REQUESTED = 1;

/** Both sides of a connection with little room between them. */
interface Pair {
  readonly server: TlsSession;
  readonly client: TlsSession;
  /** `SSL` of either side. */
  readonly ssl: { readonly server: bigint; readonly client: bigint };
}

/** Keeps the `SSL` of each connection. */
function spied(side: TlsAcceptor | TlsDialer): { last: bigint } {
  const spy = { last: 0n };
  const { calls } = side;
  Object.defineProperty(side, "calls", {
    value: {
      ...calls,
      SSL_new: (context: bigint) => spy.last = BigInt(calls.SSL_new(context)),
    },
  });
  return spy;
}

describe("records of a TLS connection", () => {
  let context: bigint;
  before(() => {
    context = makeClientContext({ serverName: "localhost", ca: null, verify: false });
  });
  after(() => freeContext(context));

  /** Connects two sessions in this thread, without kernel TLS, and frees everything afterwards. */
  function connected(options: Partial<TlsOptions>, body: (pair: Pair, scope: Scope) => void): void {
    const scope = new Scope();
    const tls = configureTls({ cert: CERTIFICATE, key: KEY, ...options });
    const contexts = new TlsContexts(tls, false);
    const acceptor = new TlsAcceptor(contexts.table);
    const dialer = new TlsDialer({ context, serverName: "localhost", ca: null, verify: false });
    const spies = { server: spied(acceptor), client: spied(dialer) };
    try {
      // Unix sockets have no timers, which a small window of TCP would wait for.
      const [near, far] = scope.unix();
      sys.setsockopt(far, sys.SocketLevel.SOCKET, sys.SocketOption.SNDBUF, 40_000);
      const server = new TlsSession(acceptor, far);
      const client = dialer.connect(near)!;
      for (const waiting = new Set([client, server]); waiting.size > 0;) {
        for (const session of waiting) {
          const state = session.handshake();
          assert.notEqual(state, Handshake.FAILED, session.detail);
          if (state === Handshake.DONE) waiting.delete(session);
        }
      }
      body(
        { server, client, ssl: { server: spies.server.last, client: spies.client.last } },
        scope,
      );
      server.free();
      client.free();
    } finally {
      acceptor.close();
      dialer.close();
      contexts.close();
      scope.close();
    }
  }

  const input = new Cell(100_000);
  /** Reads once; appends to `received`. */
  function read(session: TlsSession, received: Uint8Array[]): number {
    const count = session.recv(input, 0, input.bytes.length);
    if (count > 0) received.push(input.bytes.slice(0, count));
    return count;
  }

  /** Has `send` send until `count` bytes are taken, while the client reads; counts full sockets. */
  function pass(
    { client }: Pair,
    count: number,
    send: (at: number) => number,
    received: Uint8Array[],
  ): number {
    let full = 0;
    for (let at = 0; at < count;) {
      assert.ok(full < TURNS, "the client reads on");
      const sent = send(at);
      if (sent === EAGAIN) {
        full++;
        read(client, received);
      } else {
        assert.ok(sent > 0 && at + sent <= count, `${sent} of ${count - at} bytes taken`);
        at += sent;
      }
    }
    return full;
  }

  /** Reads until `count` bytes have arrived. */
  function drain({ client }: Pair, count: number, received: Uint8Array[]): void {
    const length = () => received.reduce((sum, piece) => sum + piece.length, 0);
    while (length() < count) {
      const got = read(client, received);
      assert.ok(got > 0 || got === EAGAIN, `recv() returned ${got}`);
    }
  }

  const ways: Record<string, Partial<TlsOptions>> = {
    "TLS 1.3": {},
    "TLS 1.2": { maxVersion: "TLSv1.2" },
    "TLS 1.2 with CBC": {
      maxVersion: "TLSv1.2",
      ciphers: "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA",
    },
  };

  for (const [name, options] of Object.entries(ways)) {
    it(`carry memory and files of any size through a full socket, ${name}`, () => {
      for (const size of SIZES) {
        const bytes = pattern(size, size);
        const cell = new Cell(size);
        cell.bytes.set(bytes);
        connected(options, (pair) => {
          const { server } = pair;
          const head = new Cell(1000);
          head.bytes.fill(7);
          const received: Uint8Array[] = [];
          withFile(bytes, (file) => {
            assert.equal(server.send(head, 0, 1000, true), 1000);
            const full = pass(pair, size, (at) => server.sendFile(file, at, size - at), received);
            assert.ok(size < 1 << 20 || full > 10, `the socket was full ${full} times`);
            pass(pair, size, (at) => server.send(cell, at, size - at, false), received);
            drain(pair, 1000 + 2 * size, received);
          });
          const whole = Buffer.concat(received);
          assert.equal(whole.length, 1000 + 2 * size);
          assert.ok(whole.subarray(0, 1000).every((byte) => byte === 7));
          assert.equal(whole.subarray(1000, 1000 + size).compare(bytes), 0, `a file of ${size}`);
          assert.equal(whole.subarray(1000 + size).compare(bytes), 0, `memory of ${size}`);
          assert.equal(server.shutdown(), 0);
          assert.equal(read(pair.client, []), 0);
          assert.ok(pair.client.complete);
        });
      }
    });
  }

  it("carry files in records of 512 bytes", () => {
    const more = backend().bind(openssl().path, MORE);
    const bytes = pattern(300_001);
    connected({}, (pair) => {
      assert.equal(
        Number(more.SSL_ctrl(pair.ssl.server, SSL_CTRL_SET_MAX_SEND_FRAGMENT, 512n, 0n)),
        1,
      );
      const received: Uint8Array[] = [];
      const head = new Cell(2000);
      withFile(bytes, (file) => {
        assert.equal(pair.server.send(head, 0, 2000, true), 2000);
        const first = 10_000;
        // As one record would, and then as a batch.
        pass(pair, first, (at) => pair.server.sendFile(file, at, first - at), received);
        const rest = bytes.length - first;
        pass(pair, rest, (at) => pair.server.sendFile(file, first + at, rest - at), received);
      });
      drain(pair, 2000 + bytes.length, received);
      assert.equal(Buffer.concat(received).subarray(2000).compare(bytes), 0);
    });
  });

  it("get another key in the middle of a file", () => {
    const more = backend().bind(openssl().path, MORE);
    const bytes = pattern(1 << 20);
    connected({}, (pair) => {
      const received: Uint8Array[] = [];
      let asked = 0;
      withFile(bytes, (file) => {
        pass(pair, bytes.length, (at) => {
          const sent = pair.server.sendFile(file, at, bytes.length - at);
          if (sent === EAGAIN && asked++ < 5) {
            assert.equal(more.SSL_key_update(pair.ssl.client, SSL_KEY_UPDATE_REQUESTED), 1);
            assert.equal(more.SSL_do_handshake(pair.ssl.client), 1);
            assert.equal(read(pair.server, []), EAGAIN);
          }
          return sent;
        }, received);
      });
      assert.ok(asked > 5);
      drain(pair, bytes.length, received);
      assert.equal(Buffer.concat(received).compare(bytes), 0);
    });
  });

  it("may have new keys as often as there is data, but not without any", () => {
    const more = backend().bind(openssl().path, MORE);
    const one = new Cell(1);
    connected({}, ({ client, server, ssl }) => {
      const update = () => {
        assert.equal(more.SSL_key_update(ssl.client, 0), 1);
        return more.SSL_do_handshake(ssl.client);
      };
      for (let rounds = 0; rounds < 30; rounds++) {
        for (let i = 0; i < 200; i++) assert.equal(update(), 1);
        assert.equal(client.send(one, 0, 1, false), 1);
        const received: Uint8Array[] = [];
        for (let turns = 0; received.length === 0; turns++) {
          const count = read(server, received);
          assert.ok(turns < TURNS && (count === 1 || count === EAGAIN), `recv() returned ${count}`);
        }
      }
      let updates = 0;
      let result: number = EAGAIN;
      for (; result === EAGAIN; updates++) {
        assert.ok(updates < 20_000, "the flood is not ended");
        assert.equal(update(), 1);
        result = read(server, []);
      }
      assert.equal(result, -errnoNumber("ECONNRESET"));
      assert.ok(updates > 1000, `${updates} updates were too many`);
      assert.equal(read(server, []), result, "it stays ended");
    });
  });

  it("send an alert behind the rest of a batch", () => {
    const more = backend().bind(openssl().path, MORE);
    const bytes = pattern(1 << 20);
    connected({ maxVersion: "TLSv1.2" }, (pair) => {
      const received: Uint8Array[] = [];
      withFile(bytes, (file) => {
        let at = 0;
        for (let sent = 0; sent !== EAGAIN; at += Math.max(0, sent)) {
          sent = pair.server.sendFile(file, at, bytes.length - at);
        }
        more.SSL_clear_options(pair.ssl.client, SSL_OP_NO_RENEGOTIATION);
        assert.equal(more.SSL_renegotiate(pair.ssl.client), 1);
        more.SSL_do_handshake(pair.ssl.client);
        // The server says no.
        assert.equal(read(pair.server, []), EAGAIN);
        // The rest of the batch leaves, and then the alert.
        let tail = 0;
        for (let sent: number = EAGAIN, turns = 0; sent === EAGAIN; turns++) {
          assert.ok(turns < TURNS, "the client reads on");
          sent = pair.server.sendFile(file, at, bytes.length - at);
          if (sent > 0) tail = sent;
          else if (sent === EAGAIN) {
            const count = read(pair.client, received);
            assert.ok(count > 0 || count === EAGAIN, `recv() returned ${count}`);
          }
        }
        let count: number;
        let turns = 0;
        while ((count = read(pair.client, received)) > 0 || count === EAGAIN) {
          assert.ok(turns++ < TURNS, "the client gets the alert");
        }
        const whole = Buffer.concat(received);
        assert.ok(whole.length >= at + 1 && tail > 0, `${whole.length} bytes arrived`);
        assert.equal(whole.compare(bytes.subarray(0, whole.length)), 0);
      });
    });
  });

  it("are not taken from a connection that is gone", () => {
    const bytes = pattern(1 << 20);
    connected({}, (pair, scope) => {
      withFile(bytes, (file) => {
        let at = 0;
        let sent = 0;
        for (; sent !== EAGAIN; at += Math.max(0, sent)) {
          sent = pair.server.sendFile(file, at, bytes.length - at);
        }
        scope.close();
        sent = pair.server.sendFile(file, at, bytes.length - at);
        assert.ok(sent < 0 && sent !== EAGAIN, `${sent}`);
        assert.equal(pair.server.shutdown(), 0);
      });
    });
  });
});
