import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fitConnections, oldestSilent } from "../../../src/move/relay/server/room.ts";
import { available } from "../../../src/sys/libc.ts";
import { commandLine } from "../../_kit/child.ts";

const LIMITED = new URL("../_fixtures/relay_limited.ts", import.meta.url);

/** A program that gives everything back. */
async function echo(): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function client(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  return socket;
}

describe("a relay with few descriptors", { skip: available() ? false : "needs FFI" }, () => {
  it("lowers its limit of connections to what they last for", () => {
    assert.equal(fitConnections(16_384, 1, null), 16_384);
    assert.equal(fitConnections(5, 1, 100_000), 5);
    const fitted = fitConnections(16_384, 1, 1024);
    assert.ok(fitted > 1 && fitted < 512, `${fitted}`);
    assert.equal(fitConnections(16_384, 64, 64), 1);
  });

  it("gives up the oldest connection on which nothing has moved, after a moment", () => {
    const [busy, old, young] = [Infinity, 1000, 4900].map((silentSince) => ({ silentSince }));
    assert.equal(oldestSilent([busy!, old!, young!], 5000), old);
    assert.equal(oldestSilent([busy!, young!], 5000), undefined);
  });

  it("serves in spite of clients that say nothing, and leaves others alone", async () => {
    const upstream = await echo();
    const [program, ...args] = commandLine(LIMITED, [`127.0.0.1:${upstream.port}`]);
    const script = 'ulimit -n 64; exec "$@"';
    const child = spawn("sh", ["-c", script, "sh", program!, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    const sockets: Socket[] = [];
    try {
      while (!text.includes("\n")) await Promise.race([once(child.stdout, "data"), ended]);
      const port = Number(new URL(text.split("\n")[0]!.replace("tcp:", "http:")).port);
      const talking = client(port);
      sockets.push(talking);
      talking.write("one");
      assert.equal(String((await once(talking, "data"))[0]), "one");
      for (let i = 0; i < 100; i++) sockets.push(client(port));
      await sleep(1500);
      const late = client(port);
      sockets.push(late);
      late.write("two");
      const signal = AbortSignal.timeout(60_000);
      assert.equal(String((await once(late, "data", { signal }))[0]), "two");
      talking.write("three");
      assert.equal(String((await once(talking, "data", { signal }))[0]), "three");
      await sleep(500);
      assert.ok(JSON.parse(text.trim().split("\n").at(-1)!).shed > 0);
    } finally {
      for (const socket of sockets) socket.destroy();
      child.kill("SIGKILL");
      await ended;
      upstream.close();
    }
  });
});
