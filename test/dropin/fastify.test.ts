import "../../src/register.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fastifyStatic from "@fastify/static";
import fastify, { type FastifyInstance } from "fastify";
import { createReadStream } from "../../src/move/read_stream/read_stream.ts";
import { sha256 } from "../_kit/bytes.ts";
import { Client, recording, withServer } from "../_kit/serve.ts";
import { describeServer, files, patchIfAsked, root } from "./_battery.ts";

const big = files.get("big.bin")!;

async function app(): Promise<FastifyInstance> {
  const made = fastify();
  made.addHook("onRequest", (request, reply, done) => {
    patchIfAsked(request.raw, reply.raw);
    done();
  });
  await made.register(fastifyStatic, { root: root.path });
  made.get("/stream", (_, reply) => {
    reply.header("content-length", big.length).send(createReadStream(`${root.path}/big.bin`));
  });
  await made.ready();
  return made;
}

describeServer("@fastify/static", async () => (await app()).server);

describe("Fastify with sluice/register", () => {
  it("sends a stream that a handler gives it", async () => {
    const { server } = await app();
    await withServer(() => {}, async (port) => {
      const client = new Client(port);
      const { sent, result } = await recording(() => client.get("/stream"));
      assert.equal(sha256(result.body), sha256(big));
      assert.equal(sent, big.length);
      await client.close();
    }, server);
  });

  it("answers inject(), which has no socket", async () => {
    const made = await app();
    const { sent, result } = await recording(() => made.inject("/big.bin"));
    assert.equal(result.statusCode, 200);
    assert.equal(sha256(result.rawPayload), sha256(big));
    assert.equal(sent, 0);
    await made.close();
  });
});
