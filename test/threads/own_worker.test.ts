import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

const FIXTURE = new URL("./_fixtures/own_worker.ts", import.meta.url);

const RUNTIME = process.versions["deno"] !== undefined
  ? "deno"
  : process.versions["bun"] !== undefined
  ? "bun"
  : "node";

const ENDS_JOBS = RUNTIME === "bun"
  ? "Bun ends the threads of a Worker with it, in the middle, and closes nothing that the Worker has"
  : false;

/** Maximum descriptors that a terminated Worker leaves open; docs/safety.md names them, too. */
const LEFT = {
  // Its threads close their descriptors when they end; Deno keeps two for each Worker.
  deno: { server: 4, relay: 4, copied: 4 },
  // Sockets are closed with the Worker.
  node: { server: 5, relay: 3, copied: 4 },
  bun: { server: 8, relay: 6, copied: 4 },
}[RUNTIME];

/** Pipes that are open. Deno keeps an epoll and an eventfd of its own for each Worker that has ended. */
function pipes(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("pipe:");
    } catch {
      return false;
    }
  }).length;
}

async function refused(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

describe("a Worker of the user's", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-"));
    writeFileSync(join(folder, "file"), new Uint8Array(100_000));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function run(kind: string): Promise<number | undefined> {
    const worker = new Worker(FIXTURE, { workerData: { folder, kind } });
    const exited = once(worker, "exit");
    const [port] = await once(worker, "message") as [number | undefined];
    if (port !== undefined) await worker.terminate();
    else await exited;
    return port;
  }

  async function leaked(kind: string): Promise<number> {
    await run(kind);
    await sleep(100);
    const start = pipes();
    for (let i = 0; i < 3; i++) await run(kind);
    for (let i = 0; i < 50 && pipes() > start; i++) await sleep(20);
    return pipes() - start;
  }

  for (const kind of ["copy", "transfer"]) {
    it(`leaves no pipe of a ${kind} behind when it ends`, async () => {
      assert.ok(await leaked(kind) <= 0);
    });
  }

  for (const [kind, most] of Object.entries(LEFT)) {
    it(`leaves at most ${most} descriptors when it is terminated with a ${kind}`, async () => {
      const count = () => readdirSync("/proc/self/fd").length;
      await run(kind);
      await sleep(500);
      const start = count();
      for (let i = 0; i < 3; i++) await run(kind);
      for (let i = 0; i < 100 && count() > start + 3 * most; i++) await sleep(20);
      assert.ok(count() <= start + 3 * most, `${(count() - start) / 3} for each Worker`);
    });
  }

  for (const kind of ["server", "relay"]) {
    it(`closes the port of its ${kind} when it is terminated`, { skip: ENDS_JOBS }, async () => {
      const port = await run(kind);
      // Asked no more once it is closed: another program may open it.
      let gone = false;
      for (let i = 0; i < 100 && !gone; i++) {
        if (i > 0) await sleep(50);
        gone = await refused(port!);
      }
      assert.ok(gone);
    });
  }
});
