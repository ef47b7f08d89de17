/** Helper threads of a server that end, which a fault of theirs or of the system could cause. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { builtin } from "../../../../src/builtins.ts";
import { available } from "../../../../src/sys/libc.ts";
import { Slot } from "../../../../src/threads/job.ts";
import { fetchRaw, requestText, responses, talk } from "../../../_kit/raw_http.ts";
import { patterned, serveSite } from "../_site.ts";

const NO_CALLS = available() ? false : "needs foreign calls";

/** Longer than a server leaves a helper alone that has ended. */
const LATER_MS = 1100;

const workers = builtin("worker_threads");
const { Worker } = workers;

/** The helpers that have started, by name. */
const helpers = new Map<string, { readonly exited: Promise<unknown>; stop(): void }>();

/** Notes the helpers, and which word of their memory ends them. */
class NotedWorker extends Worker {
  constructor(...[url, options]: ConstructorParameters<typeof Worker>) {
    super(url, options);
    const { state } = options!.workerData.sluice as { state: Int32Array };
    const stop = () => void Atomics.store(state, Slot.STOP, 1);
    helpers.set(options!.name!, { exited: once(this, "exit"), stop });
  }
}

async function end(name: string): Promise<void> {
  const { exited, stop } = helpers.get(`sluice server ${name}`)!;
  helpers.delete(`sluice server ${name}`);
  stop();
  await exited;
}

const put = async (port: number, name: string, body: string) => {
  const headers = { "Content-Length": String(body.length), Connection: "close" };
  const text = requestText(`/${name}`, headers, "PUT") + body;
  return responses(await talk(port, text), ["PUT"])[0]!.status;
};

describe("a helper thread that ends is started again", { skip: NO_CALLS }, () => {
  before(() => void (workers.Worker = NotedWorker as typeof Worker));
  after(() => void (workers.Worker = Worker));
  const site = serveSite({ upload: {}, listing: true, archives: true, threads: 2 });
  const list = async (folder: string) => (await fetchRaw(site.port, `/${folder}/`)).status;
  const arrived = async (bytes: number) => {
    while (site.server.stats().uploads.bytes < bytes) await sleep(10);
  };
  const archive = async () => (await fetchRaw(site.port, "/plain/?download=tar")).status;

  it("uploads: one in progress fails, and harms none of the next thread's", async () => {
    assert.equal(await put(site.port, "first", "1"), 201);
    const socket = connect(site.port, "127.0.0.1");
    const old = patterned(100_000, 1);
    socket.write(requestText("/old", { "Content-Length": "200000" }, "PUT"));
    socket.write(old);
    await arrived(old.length);
    await end("uploads");
    assert.equal(await put(site.port, "early", "2"), 503);
    await sleep(LATER_MS);
    const young = connect(site.port, "127.0.0.1");
    const body = patterned(200_000, 2);
    young.write(requestText("/young", { "Content-Length": "200000", Connection: "close" }, "PUT"));
    young.write(body.subarray(0, 100_000));
    await arrived(old.length + 100_000);
    socket.write(old);
    const [answer] = await once(socket, "data") as [Uint8Array];
    socket.destroy();
    assert.match(String(answer), /^HTTP\/1.1 503 /);
    young.write(body.subarray(100_000));
    let stored = "";
    for await (const bytes of young) stored += String(bytes);
    assert.match(stored, /^HTTP\/1.1 201 /);
    assert.ok(readFileSync(join(site.root, "young")).equals(body));
    assert.equal(existsSync(join(site.root, "old")), false);
  });

  it("listings: pages are made without it meanwhile", async () => {
    assert.equal(await list("plain"), 200);
    await end("listings");
    assert.equal(await list("plain"), 200);
    await sleep(LATER_MS);
    assert.equal(helpers.has("sluice server listings"), false);
    for (let i = 0; i < 4 && !helpers.has("sluice server listings"); i++) {
      assert.equal(await list("plain"), 200);
    }
    assert.equal(helpers.has("sluice server listings"), true);
  });

  it("archives", async () => {
    assert.equal(await archive(), 200);
    await end("archives");
    assert.equal(await archive(), 503);
    await sleep(LATER_MS);
    assert.equal(await archive(), 200);
  });
});
