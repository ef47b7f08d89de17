import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createRelay } from "../../../src/move/relay/server/create_relay.ts";
import type { RelayServerOptions } from "../../../src/move/relay/server/relay_server.ts";
import * as sys from "../../../src/sys/mod.ts";
import { assertDescriptors, openDescriptors } from "../../_kit/descriptors.ts";
import { exchange, Listener, Peer, until } from "../../_kit/peer.ts";
import { rig, withRig } from "../_relay.ts";

const MIB = 1024 * 1024;
const MSG_OOB = 1;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Descriptors in each epoll set of this process: see proc(5). */
function watched(): Map<string, number> {
  const sets = new Map<string, number>();
  for (const fd of readdirSync("/proc/self/fdinfo")) {
    try {
      const count = readFileSync(`/proc/self/fdinfo/${fd}`, "latin1").split("tfd:").length - 1;
      if (count > 0) sets.set(fd, count);
    } catch {
      // It was the one of the folder.
    }
  }
  return sets;
}

describe("createRelay()", () => {
  it(
    "carries bytes unchanged in both directions at once",
    withRig({}, ({ connect, relay }) => {
      const [client, server] = connect();
      const forth = randomBytes(24 * MIB);
      const back = randomBytes(17 * MIB + 1);
      const arrived = exchange(client, server, forth, back);
      assert.equal(sha256(arrived.forth), sha256(forth));
      assert.equal(sha256(arrived.back), sha256(back));
      const { bytesDown, bytesUp } = relay.stats();
      assert.deepEqual([bytesUp, bytesDown], [forth.length, back.length]);
    }),
  );

  it(
    "carries many small pieces, more than a pipe has slots",
    withRig({}, ({ connect }) => {
      const [client, server] = connect();
      const bytes = randomBytes(2000);
      for (let at = 0; at < bytes.length; at++) client.send(bytes.subarray(at, at + 1));
      assert.deepEqual([...server.receive(bytes.length)], [...bytes]);
      server.send("answer");
      client.receives("answer");
    }),
  );

  it(
    "goes on behind an urgent byte, and leaves that out as every reader does",
    withRig({}, ({ connect }) => {
      const [client, server] = connect();
      client.send("before");
      server.receives("before");
      for (const word of ["behind", "and on"]) {
        assert.equal(sys.raw.send(client.fd, new Uint8Array(1), MSG_OOB), 1);
        client.send(word);
        server.receives(word);
      }
      server.send("answer");
      client.receives("answer");
    }),
  );

  it(
    "passes the end of the client on, and goes on with the answer",
    withRig({}, async ({ connect, relay }) => {
      const [client, server] = connect();
      client.send("question");
      client.end();
      server.receives("question");
      server.receivesEnd();
      server.send("late answer");
      client.receives("late answer");
      assert.ok(client.quiet);
      server.close();
      client.receivesEnd();
      await until(() => relay.stats().active === 0, "the connection ends");
      assert.equal(relay.stats().broken, 0);
    }),
  );

  it(
    "passes the end of the upstream on, and goes on with what the client sends",
    withRig({}, async ({ connect, relay }) => {
      const [client, server] = connect();
      server.send("greeting");
      server.end();
      client.receives("greeting");
      client.receivesEnd();
      client.send("late question");
      server.receives("late question");
      client.close();
      server.receivesEnd();
      await until(() => relay.stats().active === 0, "the connection ends");
      assert.equal(relay.stats().broken, 0);
    }),
  );

  it(
    "ends an empty connection in silence",
    withRig({}, async ({ connect, relay }) => {
      const [client, server] = connect();
      client.end();
      server.receivesEnd();
      server.end();
      client.receivesEnd();
      await until(() => relay.stats().active === 0, "the connection ends");
    }),
  );

  it(
    "serves many connections at once, from several threads",
    withRig({ threads: 3 }, async ({ connect, relay }) => {
      const pairs = Array.from({ length: 60 }, connect);
      pairs.forEach(([client], i) => client.send(`question ${i};`));
      pairs.forEach(([, server], i) => server.receives(`question ${i};`));
      pairs.forEach(([, server], i) => server.send(`answer ${i};`));
      pairs.forEach(([client], i) => client.receives(`answer ${i};`));
      assert.equal(relay.stats().active, 60);
      for (const [client, server] of pairs) {
        client.close();
        server.close();
      }
      await until(() => relay.stats().active === 0, "the connections end");
      assert.equal(relay.stats().accepted, 60);
    }),
  );

  it(
    "shares connections that stay out among its threads",
    withRig({ threads: 3 }, async ({ connect, relay }) => {
      const idle = watched();
      Array.from({ length: 60 }, connect);
      await until(() => relay.stats().active === 60, "all are connected");
      const shares = [...watched()]
        .map(([fd, count]) => count - (idle.get(fd) ?? 0))
        .filter((count) => count > 0);
      // Two sockets each; 20 connections a thread, give or take one or two.
      assert.equal(shares.length, 3, `${shares}`);
      for (const count of shares) assert.ok(count >= 34 && count <= 46, `${shares}`);
    }),
  );

  it(
    "has no pipe for a connection on which nothing moves",
    withRig({}, async ({ connect, relay }) => {
      for (let i = 0; i < 50; i++) {
        const [client, server] = connect();
        client.send("a");
        server.receives("a");
      }
      await until(() => relay.stats().bytesUp === 50, "all bytes are counted");
      assert.ok(relay.stats().pipes <= 2, `${relay.stats().pipes} pipes`);
    }),
  );

  it("relays between Unix sockets, and removes the path", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    const path = join(folder, "relay");
    const upstream = new Listener({ family: "Unix", path: join(folder, "upstream") });
    const { address, close, connect, relay } = await rig({ listen: `unix:${path}` }, upstream);
    assert.deepEqual(address, { family: "Unix", path, address: path, port: 0 });
    const [client, server] = connect();
    const forth = randomBytes(3 * MIB);
    const back = randomBytes(2 * MIB);
    const arrived = exchange(client, server, forth, back);
    assert.equal(sha256(arrived.forth), sha256(forth));
    assert.equal(sha256(arrived.back), sha256(back));
    client.end();
    server.receivesEnd();
    server.close();
    client.receivesEnd();
    await until(() => relay.stats().active === 0, "the connection ends");
    await close();
    assert.ok(!existsSync(path));
    rmSync(folder, { recursive: true });
  });

  it("relays between IPv6 addresses", async () => {
    const upstream = new Listener({ family: "IPv6", address: "::1", port: 0 });
    const { close, connect } = await rig({ listen: "[::1]:0" }, upstream);
    const [client, server] = connect();
    client.send("hello");
    server.receives("hello");
    await close();
  });

  it("looks names up", async () => {
    const upstream = new Listener();
    const { port } = upstream.address as { port: number };
    const { close, connect } = await rig({ upstream: `localhost:${port}` }, upstream).catch(
      async () => await rig({}, upstream),
    );
    const [client, server] = connect();
    client.send("hello");
    server.receives("hello");
    await close();
  });

  it("leaves no descriptor behind", async () => {
    const warmUp = await rig();
    warmUp.connect();
    await warmUp.close();
    const before = openDescriptors();
    const { close, connect, relay } = await rig({ threads: 2 });
    for (let i = 0; i < 200; i++) {
      const [client, server] = connect();
      client.send("x");
      server.receives("x");
      if (i % 3 === 0) client.reset();
      else client.close();
      server.close();
    }
    await until(() => relay.stats().active === 0, "the connections end");
    await close();
    await assertDescriptors(before);
  });

  it("says where it listens, once", async () => {
    const upstream = new Listener();
    const { address, close, relay } = await rig({}, upstream);
    assert.deepEqual(relay.address, address);
    assert.equal(await relay.listen(), address);
    const taken = createRelay({
      listen: (address as { port: number }).port,
      upstream: 1,
    });
    await assert.rejects(taken.listen(), { code: "EADDRINUSE" });
    await taken.close();
    await close();
    await assert.rejects(relay.listen(), /closed/);
  });

  it("can be closed before it listens, and twice", async () => {
    const relay = createRelay({ listen: ":0", upstream: ":1" });
    await relay.close();
    await relay.close();
    await assert.rejects(relay.listen(), /closed/);
    const other = createRelay({ listen: ":0", upstream: ":1" });
    const listening = other.listen();
    await other.close();
    await listening.catch(() => {});
    assert.equal(other.stats().active, 0);
  });

  it("refuses options of the wrong kind", () => {
    const make = (options: object) => () =>
      createRelay({ listen: ":0", upstream: ":1", ...options } as RelayServerOptions);
    assert.throws(() => createRelay(null as unknown as RelayServerOptions), TypeError);
    for (const listen of ["", "80", "host", ":x", "[::1]", "::1:80", "[x]:1", "unix:", null]) {
      assert.throws(make({ listen }), TypeError, String(listen));
    }
    for (const upstream of [{ port: "80" }, { host: 1, port: 80 }, { path: "" }, {}]) {
      assert.throws(make({ upstream }), TypeError, JSON.stringify(upstream));
    }
    for (const listen of [":65536", { port: -1 }, { port: 1.5 }, 65536, -1, 0.5, NaN]) {
      assert.throws(make({ listen }), RangeError);
    }
    assert.throws(make({ upstream: ":0" }), RangeError);
    for (const name of ["threads", "idleTimeoutMs", "connectTimeoutMs", "maxConnections"]) {
      assert.throws(make({ [name]: "1" }), TypeError, name);
      for (const value of [-1, 0.5, 2 ** 40]) assert.throws(make({ [name]: value }), RangeError);
    }
    assert.throws(make({ threads: 0 }), RangeError);
    assert.throws(make({ onError: 1 }), TypeError);
  });
});

describe("a client", () => {
  it("can wait in the queue while as many as allowed are connected", async () => {
    const { address, close, connect, own, relay, upstream } = await rig({
      maxConnections: 2,
      threads: 2,
    });
    const [first] = connect();
    connect();
    const third = own(Peer.connect(address));
    third.send("hello");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(upstream.quiet);
    assert.equal(relay.stats().active, 2);
    first.reset();
    own(upstream.accept()).receives("hello");
    await close();
  });
});
