import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { after, it } from "node:test";
import { broadcast } from "../../../src/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { inScope } from "../../_kit/fds.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { withSockets } from "../../_kit/targets_net.ts";

const NODE = !("Bun" in globalThis || "Deno" in globalThis);
/** Bun and Deno cannot be told to stop reading a `net.Socket` at a byte, so that they read it. */
const METHOD = NODE ? "splice" : "copy";
const NOT_NODE = NODE ? false : "Bun and Deno read the socket themselves";

const MIB = 1024 * 1024;
const folder = new Folder();
after(() => folder.remove());

/** Runs `body` with a connection of the runtime, what the first sends, the second receives, and files. */
function connected(
  body: (peer: Socket, socket: Socket, files: [fd: number, path: string][]) => Promise<void>,
): Promise<void> {
  const paths = [1, 2, 3].map(() => folder.file(""));
  return withSockets((peer, socket) =>
    inScope((scope) =>
      body(peer, socket, paths.map((path) => [scope.open(path, sys.OpenFlag.RDWR), path]))
    )
  );
}

const numbers = (files: [fd: number, path: string][]) => files.map(([fd]) => fd);

describeWithoutLeaks("broadcast() from a socket of the runtime", {
  warmUp: () =>
    connected(async (peer, socket, files) => {
      peer.end(noise(MIB));
      await broadcast(socket, numbers(files));
    }),
}, () => {
  it("gives everybody what arrives, without reading it where the runtime can wait", () =>
    connected(async (peer, socket, files) => {
      const bytes = noise(3 * MIB + 17);
      peer.end(bytes);
      const { bytes: moved, method, targets } = await broadcast(socket, numbers(files));
      assert.equal(moved, bytes.length);
      // The last chunk is copied when it is small.
      assert.ok(targets.every((target) => target.outcome === "complete"));
      if (!NODE) assert.equal(method, METHOD);
      for (const [, path] of files) assert.ok(readFileSync(path).equals(bytes));
    }));

  it("begins with what the runtime has received, and gives back what it did not need", () =>
    connected(async (peer, socket, files) => {
      const bytes = noise(200_000);
      peer.write(bytes.subarray(0, 1000));
      await once(socket, "readable");
      await broadcast(socket, numbers(files), { length: 400 });
      peer.end(bytes.subarray(1000));
      await broadcast(socket, numbers(files), { length: 100_000 });
      const parts: Buffer[] = [];
      for await (const part of socket) parts.push(part as Buffer);
      assert.ok(Buffer.concat(parts).equals(bytes.subarray(100_400)));
      for (const [, path] of files) {
        assert.ok(readFileSync(path).equals(bytes.subarray(0, 100_400)));
      }
    }));

  it(
    "fails when the program destroys the socket",
    { skip: NOT_NODE },
    () =>
      connected(async (peer, socket, files) => {
        peer.write(noise(1000));
        const moving = broadcast(socket, numbers(files), { onProgress: () => socket.destroy() });
        await assert.rejects(moving, { code: "EPIPE" });
      }),
  );
});
