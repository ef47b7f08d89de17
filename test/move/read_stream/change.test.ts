import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFileSync, renameSync, statSync, truncateSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createReadStream } from "../../../src/move/read_stream/read_stream.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { Client, recording, withServer } from "../../_kit/serve.ts";
import { acceptOne, HOST } from "../../_kit/targets_net.ts";
import { connect } from "node:net";

type Stream = ReturnType<typeof createReadStream>;

const SIZE = 24 * 1024 * 1024;
const folder = new Folder();
const content = noise(SIZE);

after(() => folder.remove());

/** Serves `path`, and runs `body` when the connection is full; its peer reads from then on. */
async function midway(
  path: string,
  body: (scene: { client: Client; stream: Stream; res: ServerResponse }) => Promise<void>,
): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<{ stream: Stream; res: ServerResponse }>();
  const { sent } = await recording(() =>
    withServer((req, res) => {
      res.setHeader("Content-Length", statSync(path).size);
      if (req.url === "/next") return void res.end(Buffer.alloc(statSync(path).size));
      const stream = createReadStream(path);
      res.on("close", () => stream.destroy());
      stream.pipe(res);
      resolve({ stream, res });
    }, async (port) => {
      const client = new Client(port).send("GET", "/");
      client.socket.pause();
      const { stream, res } = await promise;
      for (let last = -1; last <= 0 || last !== stream.bytesRead;) {
        last = stream.bytesRead;
        await sleep(150);
      }
      try {
        await body({ client, stream, res });
      } finally {
        client.reset();
      }
    })
  );
  return sent;
}

describe("createReadStream(), of a file that changes while it is sent", () => {
  it("closes the connection when it shrinks, and never lets the next answer begin", async () => {
    const path = folder.file(content);
    await midway(path, async ({ client, stream, res }) => {
      const { bytesRead } = stream;
      const told: string[] = [];
      for (const event of ["end", "error", "close"]) stream.on(event, () => told.push(event));
      const gone = once(res, "close");
      const kept = Math.floor(bytesRead / 2);
      truncateSync(path, kept);
      client.send("GET", "/next");
      client.socket.resume();
      const { body } = await client.receive();
      assert.ok(body.length < SIZE);
      assert.equal(sha256(body.subarray(0, kept)), sha256(content.subarray(0, kept)));
      await gone;
      assert.equal(res.writableFinished, false);
      await sleep(10);
      assert.deepEqual(told, ["close"]);
      assert.equal(stream.destroyed, true);
    });
  });

  it("ends at the promised length when it grows", async () => {
    const path = folder.file(content);
    await midway(path, async ({ client, stream }) => {
      appendFileSync(path, "more");
      client.socket.resume();
      const { body } = await client.receive();
      assert.equal(sha256(body), sha256(content));
      assert.equal(stream.bytesRead, SIZE);
      assert.equal(client.rest.length, 0);
    });
  });

  it("sends the file that was opened, whatever has its name now", async () => {
    const path = folder.file(content);
    await midway(path, async ({ client }) => {
      writeFileSync(`${path}.new`, noise(SIZE, 9));
      renameSync(`${path}.new`, path);
      client.socket.resume();
      assert.equal(sha256((await client.receive()).body), sha256(content));
    });
  });

  it("reads on into what has been added when nothing was promised, and ends where it ends", async () => {
    for (const change of ["grow", "shrink"]) {
      const path = folder.file(content);
      const { accepted, dialled, close } = await acceptOne(
        createServer(),
        (port): Socket => connect(port, HOST),
      );
      const { sent, result } = await recording(async () => {
        const stream = createReadStream(path);
        stream.pipe(accepted);
        await sleep(300);
        const at = stream.bytesRead;
        assert.ok(at > 0 && at < SIZE - 2_000_000);
        if (change === "grow") appendFileSync(path, "more");
        else truncateSync(path, SIZE - 1_000_000);
        return Buffer.concat(await dialled.toArray());
      });
      const expected = change === "grow"
        ? Buffer.concat([content, Buffer.from("more")])
        : content.subarray(0, SIZE - 1_000_000);
      assert.equal(sha256(result), sha256(expected), change);
      assert.ok(sent > 0);
      accepted.destroy();
      await close();
    }
  });
});

describe("createReadStream(), of a response that its owner ends early", () => {
  it("puts nothing after its end", async () => {
    const path = folder.file(content);
    await midway(path, async ({ client, res, stream }) => {
      res.on("error", () => {});
      res.end();
      await sleep(20);
      const { bytesRead } = stream;
      client.socket.resume();
      await sleep(300);
      client.socket.destroy();
      assert.ok(stream.bytesRead <= bytesRead + 2 * stream.readableHighWaterMark);
    });
  });

  it("does not outlast a timeout of the socket, and keeps it away while bytes move", async () => {
    const path = folder.file(content);
    await midway(path, async ({ client, res, stream }) => {
      const timeout = once(res, "timeout");
      res.setTimeout(200, () => res.destroy());
      await timeout;
      if (!stream.closed) await once(stream, "close");
      client.socket.resume();
      assert.ok((await client.receive()).body.length < SIZE);
    });
  });
});
