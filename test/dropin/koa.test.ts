import "../../src/register.ts";
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import { after, describe, it } from "node:test";
import { sha256 } from "../_kit/bytes.ts";
import { assertClosed } from "../_kit/leaks.ts";
import { bypassesPipe, Client, recording } from "../_kit/serve.ts";
import { listen, stop } from "../_kit/targets_net.ts";
import { files, root } from "./_battery.ts";

const require = createRequire(import.meta.url);

interface Context {
  readonly path: string;
}
const Koa = require("koa") as new () => {
  use(handler: (context: Context) => Promise<unknown>): void;
  callback(): RequestListener;
  silent: boolean;
};
const loaded = require("koa-send");
type Send = (context: Context, path: string, options: { root: string }) => Promise<string>;
const send = (loaded.send ?? loaded.default ?? loaded) as Send;

describe("koa-send with sluice/register", () => {
  const app = new Koa();
  app.silent = true;
  app.use((context) => send(context, context.path, { root: root.path }));
  const server = createServer(app.callback());
  const big = files.get("big.bin")!;
  after(() => stop(server));

  it("sends files, and nothing for HEAD and what is absent", async () => {
    const client = new Client(await listen(server));
    for (const [name, bytes] of files) {
      const { result, sent } = await recording(() => client.get(`/${name}`));
      assert.equal(sha256(result.body), sha256(bytes), name);
      assert.equal(sent, bypassesPipe(bytes.length) ? bytes.length : 0, name);
    }
    const head = await client.get("/big.bin", {}, "HEAD");
    assert.equal(head.headers["content-length"], String(big.length));
    assert.equal((await client.get("/absent")).status, 404);
    assert.equal(client.rest.length, 0);
    await client.close();
  });

  it("closes what belongs to downloads that are broken off", async () => {
    const { port } = server.address() as { port: number };
    for (let i = 0; i < 10; i++) {
      const client = new Client(port).send("GET", "/big.bin");
      await new Promise((resolve) => client.socket.once("data", resolve));
      client.reset();
    }
    await assertClosed(`${root.path}/big.bin`);
  });
});
