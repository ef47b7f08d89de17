/** A bundle that lacks sluice's Worker serves, relays and copies all the same, and says so. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { consumer, programArgs, tool, write } from "../_kit/package.ts";

/** Uses everything that has threads of its own; prints what came of it. */
const APP = `
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { broadcast, copyFile, createRelay, DirectFile, relay, transfer } from "sluice";
import { createFileServer } from "sluice/http";

const warnings = [];
process.on("warning", ({ code, message }) => {
  if (code?.startsWith("SLUICE")) warnings.push({ code, message });
});
const root = mkdtempSync(join(tmpdir(), "sluice-bare-"));
const path = join(root, "file.txt");
const text = "sluice".repeat(100_000);
writeFileSync(path, text);
const port = Number(process.argv[2] ?? 0);
const server = createFileServer({ root, threads: 2, port });
const before = server.native;
const address = await server.listen();
const made = createRelay({ listen: "127.0.0.1:0", upstream: address.port });
const front = await made.listen();
const ask = async (port) => {
  const headers = { connection: "close" };
  const response = await fetch("http://127.0.0.1:" + port + "/file.txt", { headers });
  return (await response.text()) === text;
};
const outcome = { native: [before, server.native], method: made.method };
outcome.served = await ask(address.port);
outcome.relayed = await ask(front.port);
outcome.requests = server.stats().requests;
outcome.accepted = made.stats().accepted;

const pair = createServer({ allowHalfOpen: true }, (socket) =>
  relay(socket, connect(address.port, "127.0.0.1")).then(({ method }) => outcome.pair = method));
await once(pair.listen(0, "127.0.0.1"), "listening");
outcome.paired = await ask(pair.address().port);
pair.close();

await copyFile(path, join(root, "copy"));
outcome.copied = readFileSync(join(root, "copy"), "utf8") === text;
await transfer(path, createWriteStream(join(root, "moved")));
outcome.moved = readFileSync(join(root, "moved"), "utf8") === text;

const file = await DirectFile.open(path, { access: "write" });
const parts = await Promise.all(Array.from({ length: 300 }, async (_, at) => {
  const bytes = new Uint8Array(5000);
  const count = await file.read(bytes, at * 1000);
  return count === 5000 && Buffer.from(bytes).toString() === text.slice(at * 1000, at * 1000 + 5000);
}));
await file.append(Buffer.from("end"));
await file.sync();
outcome.direct = parts.every(Boolean) && readFileSync(path, "utf8") === text + "end";
await file.truncate(text.length);
outcome.engine = file.engine;
await file.close();

const received = Promise.withResolvers();
const sink = createServer((socket) => {
  let bytes = 0;
  socket.on("data", (chunk) => bytes += chunk.length).on("end", () => received.resolve(bytes));
});
await once(sink.listen(0, "127.0.0.1"), "listening");
const socket = connect(sink.address().port, "127.0.0.1");
await once(socket, "connect");
await broadcast(path, [socket]);
socket.end();
outcome.broadcast = (await received.promise) === text.length;
sink.close();

for (const options of [{ log: { descriptor: 2 } }, { limits: { maxRate: 1_000_000 } }]) {
  const refused = createFileServer({ root, ...options });
  await refused.listen().then(() => outcome.log = "accepted", (error) => {
    (outcome.refused ??= []).push(error.name + ": " + error.message);
  });
}
outcome.reasons = [server.reason, made.reason];
await made.close({ graceMs: 100 });
await server.close({ graceMs: 100 });
rmSync(root, { recursive: true });
setTimeout(() => {
  console.log(JSON.stringify({ ...outcome, warnings }));
  process.exit();
}, 50);
`;

const MISSING = /worker\.js.*SLUICE_WORKER/;

interface Outcome {
  readonly reasons: string[];
  readonly refused: string[];
  readonly warnings: { readonly code: string; readonly message: string }[];
}

describe("a bundle without sluice/worker", () => {
  let folder = "";

  before(() => {
    folder = join(consumer(), "without_worker");
    write("without_worker.mjs", APP);
    const options = ["--bundle", "--platform=node", "--log-level=error", "--format=esm"];
    tool("esbuild", "app=without_worker.mjs", ...options, `--outdir=${folder}`);
    write("without_worker/package.json", `{ "type": "module" }`);
  });

  function run(env: Record<string, string> = {}) {
    const ended = spawnSync(process.execPath, programArgs(join(folder, "app.js")), {
      cwd: tmpdir(),
      env: { ...process.env, SLUICE_RING: "off", ...env },
      encoding: "utf8",
      timeout: 120_000,
    });
    assert.equal(ended.status, 0, ended.stderr);
    const { reasons, refused, warnings, ...outcome } = JSON.parse(ended.stdout) as Outcome;
    return { outcome, reasons, refused, warnings, stderr: ended.stderr };
  }

  const DONE = {
    served: true,
    relayed: true,
    requests: 2,
    accepted: 1,
    paired: true,
    copied: true,
    moved: true,
    broadcast: true,
    direct: true,
    engine: "runtime",
    pair: "copy",
    method: "copy",
  };

  it("serves, relays and copies through the runtime, with one warning", () => {
    const { outcome, reasons, warnings, refused } = run();
    assert.deepEqual(outcome, { ...DONE, native: [null, false] });
    for (const reason of reasons) assert.match(reason, MISSING);
    assert.equal(warnings.length, 1, JSON.stringify(warnings));
    assert.equal(warnings[0]!.code, "SLUICE_WORKER_MISSING");
    assert.match(warnings[0]!.message, MISSING);
    assert.match(refused[0]!, /^UnsupportedError: Cannot write an access log: .*SLUICE_WORKER/);
    assert.match(
      refused[1]!,
      /^UnsupportedError: Cannot limit the rate of connections: .*SLUICE_WORKER/,
    );
  });

  it("uses its threads once it is told where the Worker is", () => {
    const SLUICE_WORKER = join(consumer(), "node_modules/sluice/dist/worker.js");
    const { outcome, reasons, warnings } = run({ SLUICE_WORKER });
    const own = {
      ...DONE,
      method: "splice",
      pair: "splice",
      engine: "threads",
      native: [null, true],
      log: "accepted",
    };
    assert.deepEqual(outcome, own);
    assert.deepEqual(reasons, [null, null]);
    assert.deepEqual(warnings, []);
  });

  it("does not start another program that is called worker.js", () => {
    const foreign = join(folder, "worker.js");
    writeFileSync(foreign, `console.error("foreign"); setInterval(() => {}, 1000);\n`);
    try {
      const { outcome, reasons, warnings, stderr } = run();
      assert.deepEqual(outcome, { ...DONE, native: [null, false] });
      for (const reason of reasons) assert.match(reason, /is not sluice's Worker.*SLUICE_WORKER/);
      assert.equal(warnings.length, 1, JSON.stringify(warnings));
      assert.doesNotMatch(stderr, /foreign/);
    } finally {
      rmSync(foreign);
    }
  });
});
