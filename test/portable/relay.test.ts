/** Relaying without foreign functions: the same, by copying. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { createRelay, relay } from "../../src/mod.ts";
import { noise, sha256 } from "../_kit/bytes.ts";

const MIB = 1024 * 1024;

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

/** Everything that arrives until the end. */
async function all(socket: Socket): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of socket) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}

/** A server that echoes all received bytes once the client has ended. */
async function echo(): Promise<{ port: number; server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    const bytes: Uint8Array[] = [];
    socket.on("data", (piece) => bytes.push(piece as Uint8Array));
    socket.on("end", () => socket.end(Buffer.concat(bytes)));
  });
  return { server, port: await listen(server) };
}

describe("without foreign functions", () => {
  it("createRelay() copies, keeps half-closed connections, and counts", async () => {
    const { port, server } = await echo();
    const made = createRelay({ listen: ":0", upstream: { port } });
    const address = await made.listen() as { port: number };
    assert.equal(made.method, "copy");
    const bytes = noise(3 * MIB);
    const client = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
    client.end(bytes);
    assert.equal(sha256(await all(client)), sha256(bytes));
    await made.close({ graceMs: 10_000 });
    const { accepted, active, bytesDown, bytesUp } = made.stats();
    assert.deepEqual([accepted, active, bytesUp, bytesDown], [1, 0, bytes.length, bytes.length]);
    server.close();
  });

  it("createRelay() ends whoever it cannot connect, and what is open when it is closed", async () => {
    const refused = createRelay({ listen: ":0", upstream: ":1" });
    const first = await refused.listen() as { port: number };
    const client = connect(first.port, "127.0.0.1").on("error", () => {});
    client.resume();
    // By a reset, as the threads do it: once() would reject.
    await new Promise((resolve) => client.on("close", resolve));
    assert.equal(refused.stats().lastConnectError, "ECONNREFUSED");
    await refused.close();

    const { port, server } = await echo();
    const made = createRelay({ listen: ":0", upstream: { port } });
    const second = await made.listen() as { port: number };
    const open = connect(second.port, "127.0.0.1").on("error", () => {});
    open.write("x");
    open.resume();
    while (made.stats().bytesUp === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const closed = once(open, "close");
    await made.close({ graceMs: 0 });
    await closed;
    server.close();
  });

  it("relay() copies between two sockets", async () => {
    const { port, server } = await echo();
    const front = createServer({ allowHalfOpen: true });
    const frontPort = await listen(front);
    const client = connect({ port: frontPort, host: "127.0.0.1", allowHalfOpen: true });
    const [accepted] = await once(front, "connection") as [Socket];
    const upstream = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const done = relay(accepted, upstream);
    const bytes = noise(MIB);
    client.end(bytes);
    assert.equal(sha256(await all(client)), sha256(bytes));
    const { bytesBack, bytesForth, method } = await done;
    assert.deepEqual([bytesForth, bytesBack, method], [MIB, MIB, "copy"]);
    front.close();
    server.close();
  });
});
