/** Relays from the tarball: their job is a file of its own, which bundles must find. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { consumer, runJson, tool, write } from "../_kit/package.ts";

/** Relays a word to an echo server, once by `createRelay` and once by `relay`. */
const PROGRAM = `
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createRelay, relay } from "sluice";

const HOST = "127.0.0.1";
const listen = async (server) => {
  await once(server.listen(0, HOST), "listening");
  return server.address().port;
};
const ask = async (port) => {
  const client = connect({ port, host: HOST });
  client.write("hello");
  const [answer] = await once(client, "data");
  client.destroy();
  return String(answer);
};
const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket));
const port = await listen(echo);
const outcome = {};
try {
  const made = createRelay({ listen: ":0", upstream: { port } });
  outcome.first = await ask((await made.listen()).port);
  await made.close();
  const front = createServer({ allowHalfOpen: true }, (socket) =>
    relay(socket, connect(port, HOST)).then(
      ({ method }) => outcome.method = method,
      ({ code }) => outcome.code = code,
    ));
  outcome.second = await ask(await listen(front));
} catch (error) {
  outcome.error = String(error);
}
console.log(JSON.stringify(outcome));
process.exit();
`;

const DONE = { first: "hello", second: "hello" };

describe("a relay from the npm package", () => {
  let dist: string;

  before(() => {
    dist = join(consumer(), "node_modules/sluice/dist");
  });

  const bundle = (folder: string, ...entries: string[]) => {
    write("relay_app.mjs", PROGRAM);
    const options = ["--bundle", "--platform=node", "--log-level=error", "--format=esm"];
    tool("esbuild", "app=relay_app.mjs", ...entries, ...options, `--outdir=${folder}`);
    write(`${folder}/package.json`, `{ "type": "module" }`);
    return join(consumer(), folder, "app.js");
  };

  it("works", () => {
    assert.deepEqual(runJson(write("relay.mjs", PROGRAM)), DONE);
  });

  it("works in a bundle with the Worker and the job as further entries", () => {
    const app = bundle("relay_esm", "worker=sluice/worker", "relay_job=sluice/relay_job");
    assert.deepEqual(runJson(app), DONE);
  });

  it("works in a bundle that is told where the Worker is: the job lies beside it", () => {
    const env = { SLUICE_WORKER: join(dist, "worker.js") };
    assert.deepEqual(runJson(bundle("relay_told"), env), DONE);
  });

  it("works in a bundle with the Worker alone, which brings its jobs", () => {
    assert.deepEqual(runJson(bundle("relay_bare", "worker=sluice/worker")), DONE);
  });
});
