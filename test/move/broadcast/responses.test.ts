import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, it } from "node:test";
import { broadcast, type BroadcastResult } from "../../../src/mod.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { Client, withServer } from "../../_kit/serve.ts";

const folder = new Folder();
const content = noise(3_000_001);
const path = folder.file(content);
after(() => folder.remove());

const READERS = 5;

/** Waits for so many responses, and gives them all the file. */
async function exchange(
  clients: readonly Client[],
  gathering: Gathering,
): Promise<BroadcastResult> {
  for (const client of clients) client.send("GET", "/");
  const result = await gathering.next();
  for (const client of clients) {
    const { body } = await client.receive();
    assert.equal(sha256(body), sha256(content));
    assert.equal(client.rest.length, 0);
  }
  return result;
}

/** Gathers responses until there are {@linkcode READERS}. */
class Gathering {
  #waiting: ServerResponse[] = [];
  #done = Promise.withResolvers<BroadcastResult>();

  add(res: ServerResponse): void {
    res.setHeader("Content-Length", content.length);
    this.#waiting.push(res);
    if (this.#waiting.length < READERS) return;
    const { resolve, reject } = this.#done;
    broadcast(path, this.#waiting.splice(0)).then(resolve, reject);
  }

  async next(): Promise<BroadcastResult> {
    const result = await this.#done.promise;
    this.#done = Promise.withResolvers();
    return result;
  }
}

/** Runs `body` with clients whose requests are answered together. */
async function gathered(
  body: (clients: readonly Client[], gathering: Gathering) => Promise<void>,
): Promise<void> {
  const gathering = new Gathering();
  await withServer((_, res) => gathering.add(res), async (port) => {
    const clients = Array.from({ length: READERS }, () => new Client(port));
    await body(clients, gathering);
    for (const client of clients) await client.close();
  });
}

describeWithoutLeaks("broadcast() of a file to responses with its length", {
  warmUp: () => gathered(async (clients, gathering) => void await exchange(clients, gathering)),
}, () => {
  it("sends it by sendfile, and leaves the connections usable", () =>
    gathered(async (clients, gathering) => {
      for (let round = 0; round < 3; round++) {
        const { targets } = await exchange(clients, gathering);
        for (const { bytes, method } of targets) {
          assert.deepEqual({ bytes, method }, { bytes: content.length, method: "sendfile" });
        }
      }
    }));
});
