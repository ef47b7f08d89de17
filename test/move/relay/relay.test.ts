import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AbortError, relay, type RelayOptions, type RelayTarget } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { noise, sha256 } from "../../_kit/bytes.ts";
import { openDescriptors } from "../../_kit/descriptors.ts";
import { CLOSED_FD } from "../../_kit/fds.ts";
import { until } from "../../_kit/peer.ts";
import { type Opened, type SideKind, SIDES } from "../../_kit/relay_sides.ts";

const MIB = 1024 * 1024;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (string: string) => new TextEncoder().encode(string);

/** A plain descriptor, the other socket of most tests. */
const PLAIN = SIDES.find(({ name }) => name === "descriptor")!;
const SOCKET = SIDES[0]!;

async function withSides<T>(
  kinds: readonly [SideKind, SideKind],
  body: (a: Opened, b: Opened) => Promise<T>,
): Promise<T> {
  const a = await kinds[0].open();
  const b = await kinds[1].open();
  try {
    return await body(a, b);
  } finally {
    a.close();
    b.close();
  }
}

for (const kind of SIDES) {
  const { method, name, skip } = kind;
  describe(`relay() with a ${name}`, () => {
    it("carries both directions at once, unchanged, and tells how", { skip }, async () => {
      await withSides([kind, PLAIN], async (a, b) => {
        const done = relay(a.target, b.target);
        const forth = noise(3 * MIB, 1);
        const back = noise(2 * MIB + 1, 2);
        const [arrivedForth, arrivedBack] = await Promise.all([
          b.far.receive(forth.length),
          a.far.receive(back.length),
          a.far.send(forth),
          b.far.send(back),
        ]);
        assert.equal(sha256(arrivedForth), sha256(forth));
        assert.equal(sha256(arrivedBack), sha256(back));
        a.far.end();
        b.far.end();
        const result = await done;
        assert.deepEqual(
          [result.bytesForth, result.bytesBack, result.bytes, result.method],
          [forth.length, back.length, forth.length + back.length, method],
        );
        assert.ok(result.durationMs > 0);
      });
    });

    it("passes either end on, and goes on with the other direction", { skip }, async () => {
      for (const first of [0, 1] as const) {
        await withSides([kind, PLAIN], async (a, b) => {
          const done = relay(a.target, b.target);
          const [one, two] = first === 0 ? [a.far, b.far] : [b.far, a.far];
          await one.send(bytesOf("last words"));
          one.end();
          assert.equal(text(await two.receive(10)), "last words");
          assert.equal(await two.receiveEnd(), false);
          await two.send(bytesOf("late answer"));
          assert.equal(text(await one.receive(11)), "late answer");
          two.end();
          assert.equal(await one.receiveEnd(), false);
          await done;
        });
      }
    });

    it("ends with an error when the far end resets", { skip }, async () => {
      await withSides([kind, PLAIN], async (a, b) => {
        const done = relay(a.target, b.target);
        await b.far.send(bytesOf("hello"));
        await a.far.receive(5);
        b.far.reset();
        await assert.rejects(done, (error: sys.SyscallError) => {
          assert.equal(error.code, "ECONNRESET");
          assert.equal(error.bytesMoved, 5);
          return true;
        });
      });
    });
  });
}

describe("relay()", () => {
  it("sends out first what was written, and hands over what was received", async () => {
    await withSides([SOCKET, PLAIN], async (a, b) => {
      const socket = a.target as import("node:net").Socket;
      const written = noise(4 * MIB, 3);
      socket.write(written);
      await a.far.send(bytesOf("early "));
      await until(() => {
        if (socket.readableLength === 0) socket.read(0);
        return socket.readableLength === 6;
      }, "the runtime has received it");
      const done = relay(a.target, b.target);
      await b.far.send(bytesOf("answer"));
      const arrived = await a.far.receive(written.length + 6);
      assert.equal(sha256(arrived.subarray(0, written.length)), sha256(written));
      assert.equal(text(arrived.subarray(written.length)), "answer");
      await a.far.send(bytesOf("late"));
      assert.equal(text(await b.far.receive(10)), "early late");
      a.far.end();
      b.far.end();
      const { bytesForth, method } = await done;
      assert.deepEqual([bytesForth, method], [10, "splice"]);
    });
  });

  it("hands nothing to the listeners that a socket has", async () => {
    await withSides([SOCKET, PLAIN], async (a, b) => {
      const socket = a.target as import("node:net").Socket;
      let heard = "";
      socket.on("data", (bytes) => heard += bytes);
      await a.far.send(bytesOf("for you;"));
      await until(() => heard.length === 8, "the listener has heard it");
      const done = relay(a.target, b.target);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await a.far.send(bytesOf("for the other"));
      assert.equal(text(await b.far.receive(13)), "for the other");
      a.far.end();
      b.far.end();
      await done;
      assert.equal(heard, "for you;");
    });
  });

  it("closes both sockets in the end, but for descriptors", async () => {
    await withSides([SOCKET, PLAIN], async (a, b) => {
      const done = relay(a.target, b.target);
      a.far.end();
      b.far.end();
      await done;
      assert.ok((a.target as import("node:net").Socket).destroyed);
      assert.ok(sys.statusFlags(b.target as number) >= 0, "the descriptor is open");
    });
  });

  it("ends when its signal fires, with what had been moved", async () => {
    for (const kind of SIDES.filter(({ skip }) => !skip)) {
      await withSides([kind, PLAIN], async (a, b) => {
        const controller = new AbortController();
        const done = relay(a.target, b.target, { signal: controller.signal });
        await a.far.send(bytesOf("hello"));
        await b.far.receive(5);
        const reason = new Error("enough");
        controller.abort(reason);
        await assert.rejects(done, (error: AbortError) => {
          assert.ok(error instanceof AbortError, `${kind.name}: ${error}`);
          assert.deepEqual([error.bytesMoved, error.cause], [5, reason]);
          return true;
        });
      });
    }
  });

  it("ends when nothing moves for too long", async () => {
    for (const kind of SIDES.filter(({ skip }) => !skip)) {
      await withSides([kind, PLAIN], async (a, b) => {
        const done = relay(a.target, b.target, { idleTimeoutMs: 300 });
        await assert.rejects(done, { code: "ETIMEDOUT" }, kind.name);
      });
    }
  });

  it("reports progress while bytes move, and at the end", async () => {
    await withSides([SOCKET, PLAIN], async (a, b) => {
      const seen: number[] = [];
      const done = relay(a.target, b.target, {
        onProgress: ({ bytes, bytesBack, bytesForth }) => {
          assert.equal(bytes, bytesForth + bytesBack);
          seen.push(bytes);
        },
      });
      await a.far.send(bytesOf("hello"));
      await b.far.receive(5);
      await until(() => seen.length > 0, "progress is reported");
      a.far.end();
      await b.far.send(bytesOf("world!"));
      b.far.end();
      await done;
      assert.equal(seen.at(-1), 11);
    });
  });

  for (const refusedFirst of [false, true]) {
    it(`ends when a socket cannot be connected, the ${refusedFirst ? "first" : "second"}: the peer of the other one is not reset`, async () => {
      for (const answer of ["", "sorry"]) {
        const server = createServer();
        const accepted = once(server.listen(0, "127.0.0.1"), "connection");
        await once(server, "listening");
        const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
        let received = "";
        let reset = false;
        peer.on("data", (chunk) => received += chunk);
        peer.on("error", () => reset = true);
        const closed = once(peer, "close");
        const [client] = await accepted as [Socket];
        // These bytes stay unread, so closing the socket now would reset the connection.
        peer.write("a request");
        await sleep(20);
        // Port 1 has no listener.
        const pair = [client, connect(1, "127.0.0.1")] as const;
        const done = refusedFirst ? relay(pair[1], pair[0]) : relay(...pair);
        await done.then(() => assert.fail("nobody listens"), (error) => {
          assert.equal(error.code, "ECONNREFUSED");
          if (answer !== "") client.resume().end(answer);
        });
        await closed;
        assert.deepEqual([received, reset], [answer, false]);
        client.destroy();
        server.close();
      }
    });
  }

  it("leaves no descriptor behind, whatever happens", async () => {
    const run = async (end: (a: Opened, b: Opened) => void) => {
      await withSides([SOCKET, PLAIN], async (a, b) => {
        const done = relay(a.target, b.target).catch(() => {});
        await a.far.send(bytesOf("x"));
        await b.far.receive(1);
        end(a, b);
        await done;
      });
    };
    const ways: ((a: Opened, b: Opened) => void)[] = [
      (a) => a.far.reset(),
      (_, b) => b.far.reset(),
      (a, b) => {
        a.far.end();
        b.far.end();
      },
    ];
    for (const way of ways) await run(way);
    const count = openDescriptors();
    for (let i = 0; i < 10; i++) await run(ways[i % ways.length]!);
    await until(() => openDescriptors() <= count, "the descriptors are closed");
  });

  it("refuses arguments of the wrong kind, and changes nothing", async () => {
    await withSides([SOCKET, PLAIN], async (a, b) => {
      const bad = (first: unknown, second: unknown, options?: object) =>
        relay(first as RelayTarget, second as RelayTarget, options as RelayOptions);
      await assert.rejects(bad(a.target, a.target), TypeError);
      for (const wrong of [null, {}, "socket", undefined, -1, 1.5]) {
        await assert.rejects(bad(a.target, wrong), TypeError);
      }
      for (const wrong of [null, { signal: {} }, { onProgress: 1 }, { idleTimeoutMs: "1" }]) {
        await assert.rejects(bad(a.target, b.target, wrong as object), TypeError);
      }
      await assert.rejects(bad(a.target, b.target, { idleTimeoutMs: -1 }), RangeError);
      await assert.rejects(bad(b.target, CLOSED_FD), { code: "EBADF" });
      const file = sys.memfdCreate("test");
      await assert.rejects(bad(b.target, file), { code: "ENOTSOCK" });
      sys.close(file);
    });
  });

  it("refuses a response of node:http", async () => {
    const server = createHttpServer().listen(0, "127.0.0.1");
    const refused = new Promise<void>((resolve, reject) => {
      server.on("request", (_, res) => {
        assert.rejects(relay(res as unknown as RelayTarget, 0), TypeError).then(resolve, reject)
          .finally(() => res.end());
      });
    });
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    await (await fetch(`http://127.0.0.1:${port}/`)).text();
    await refused;
    server.close();
  });
});
