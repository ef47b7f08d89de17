/** How many listeners pile up on one object: eleven of one event print a warning on Node.js. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { connect, createServer as createNetServer } from "node:net";
import { basename, dirname } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { serveStatic } from "../../src/http/mod.ts";
import { copyFile, createReadStream, DirectFile, sendFile } from "../../src/mod.ts";
import { Folder, noise } from "../_kit/bytes.ts";
import { Client, withServer } from "../_kit/serve.ts";
import { HOST, listen, stop } from "../_kit/targets_net.ts";

const COUNT = 40;
const SIZE = 200_000;
const folder = new Folder();
const content = noise(SIZE);
const path = folder.file(content);

after(() => folder.remove());

/** Runs `body` and fails when the runtime has warned of anything. */
async function withoutWarnings(body: () => Promise<unknown>): Promise<void> {
  const warnings: string[] = [];
  const listener = (warning: Error) => {
    if (warning.name === "MaxListenersExceededWarning") warnings.push(warning.message);
  };
  process.on("warning", listener);
  try {
    await body();
    // Warnings come a turn later.
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.off("warning", listener);
  }
  assert.deepEqual(warnings, []);
}

/** Answers to pipelined requests. */
const ANSWERS: Record<string, () => RequestListener> = {
  "sendFile()": () => (_, res) => void sendFile(res, path).catch(() => {}),
  "createReadStream().pipe()": () => (_, res) => {
    res.setHeader("Content-Length", SIZE);
    createReadStream(path).pipe(res);
  },
  "serveStatic()": () => serveStatic(dirname(path)) as RequestListener,
};

describe("no warning of too many listeners", () => {
  for (const [name, answer] of Object.entries(ANSWERS)) {
    it(`for ${COUNT} pipelined requests to ${name}`, async () => {
      await withoutWarnings(() =>
        withServer(answer(), async (port) => {
          const client = new Client(port);
          for (let i = 0; i < COUNT; i++) client.send("GET", `/${basename(path)}`);
          for (let i = 0; i < COUNT; i++) {
            assert.ok((await client.receive()).body.equals(content));
          }
          await client.close();
        })
      );
    });

    it(`for ${COUNT} pipelined requests to ${name} whose client goes away`, async () => {
      await withoutWarnings(() =>
        withServer(answer(), async (port, server) => {
          const client = new Client(port);
          for (let i = 0; i < COUNT; i++) client.send("GET", `/${basename(path)}`);
          const [{ socket }] = await once(server, "request");
          client.reset();
          await new Promise((resolve) => socket.once("close", resolve));
        }, createServer())
      );
    });
  }

  it(`for ${COUNT} files to one socket that is still connecting`, async () => {
    const server = createNetServer((socket) => void socket.resume());
    const port = await listen(server as never);
    await withoutWarnings(async () => {
      const socket = connect(port, HOST);
      await Promise.all(Array.from({ length: COUNT }, () => sendFile(socket, path)));
      socket.destroy();
    });
    await stop(server as never);
  });

  it(`for ${COUNT} copies with one signal`, async () => {
    const { signal } = new AbortController();
    await withoutWarnings(() =>
      Promise.all(Array.from(
        { length: COUNT },
        (_, i) => copyFile(path, `${path}.${i}`, { signal }),
      ))
    );
  });

  it(`for ${COUNT} open DirectFile objects`, async () => {
    await withoutWarnings(async () => {
      const opened = Array.from({ length: COUNT }, () => DirectFile.open(path));
      const files = await Promise.all(opened);
      await Promise.all(files.map((file) => file.read(new Uint8Array(4096), 0)));
      await Promise.all(files.map((file) => file.close()));
    });
  });
});
