import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { WorkerPool, type WorkerPoolOptions } from "../../src/threads/worker_pool.ts";
import { openListener } from "../../src/sys/net/listener.ts";
import { FdMailboxes } from "../../src/threads/fd_mailboxes.ts";
import { UnsupportedError } from "../../src/errors.ts";
import { assertDescriptors, openDescriptors } from "../_kit/descriptors.ts";

const JOB = new URL("./_fixtures/worker_pool_job.ts", import.meta.url);

interface Running {
  readonly pool: WorkerPool;
  readonly port: number;
  readonly ended: Promise<Error>;
}

function start(options: Partial<WorkerPoolOptions> = {}): Running {
  const listener = openListener({ family: "IPv4", address: "127.0.0.1", port: 0 });
  const { port } = sys.getsockname(listener) as sys.IpAddress;
  const { promise: ended, resolve } = Promise.withResolvers<Error>();
  const pool = new WorkerPool({
    job: JOB,
    name: "test",
    threads: 2,
    data: (index) => `thread ${index}`,
    fds: () => [sys.dupCloexec(listener)],
    ended: resolve,
    ...options,
  });
  sys.close(listener);
  pool.ref();
  return { pool, port, ended };
}

function greeting(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    connect(port, "127.0.0.1").setEncoding("utf8")
      .on("data", (piece: string) => text += piece)
      .on("error", reject)
      .on("close", () => resolve(text));
  });
}

describe("Crew", () => {
  it("serves one listener from several threads, and asks them all", async () => {
    const { pool, port } = start();
    await pool.ready;
    for (let i = 0; i < 20; i++) assert.match(await greeting(port), /^thread [01]$/);
    const counts = await pool.call("count");
    assert.equal(counts.length, 2);
    assert.equal(counts[0]! + counts[1]!, 20);
    await pool.close();
  });

  it("leaves no descriptor behind", async () => {
    await start().pool.close();
    const before = openDescriptors();
    const { pool } = start();
    await pool.ready;
    await pool.close();
    await pool.close();
    await assertDescriptors(before);
  });

  it("lets go of what its threads share once, when they are gone", async () => {
    await start().pool.close();
    const before = openDescriptors();
    let gone = 0;
    const boxes = new FdMailboxes(2);
    const { pool } = start({ gone: () => (gone++, boxes.close()) });
    await pool.ready;
    assert.equal(gone, 0);
    await Promise.all([pool.close(), pool.close()]);
    assert.equal(gone, 1);
    await assertDescriptors(before);
  });

  it("lets go of it, too, when one of them cannot be started", async () => {
    await start().pool.close();
    const before = openDescriptors();
    const boxes = new FdMailboxes(2);
    const { promise, resolve } = Promise.withResolvers<void>();
    const gone = () => {
      boxes.close();
      resolve();
    };
    const listener = openListener({ family: "IPv4", address: "127.0.0.1", port: 0 });
    const fds = (index: number): number[] => {
      if (index === 1) throw new Error("no descriptor is left");
      return [sys.dupCloexec(listener)];
    };
    const data = () => null;
    const options = { job: JOB, name: "test", threads: 2, data, fds, gone, ended() {} };
    // Or nothing might keep the process while the first of them ends.
    const alive = setInterval(() => {}, 1000);
    assert.throws(() => new WorkerPool(options), /no descriptor is left/);
    sys.close(listener);
    await promise;
    clearInterval(alive);
    await assertDescriptors(before);
  });

  it("rejects what is not answered when a thread ends, and says so once", async () => {
    const { pool, ended } = start();
    await pool.ready;
    await assert.rejects(pool.call("throw"), /thrown on purpose/);
    assert.match((await ended).message, /thrown on purpose/);
    await assert.rejects(pool.call("count"), /thrown on purpose/);
    await pool.close();
  });

  it("rejects what is not answered when it is closed", async () => {
    const { pool } = start();
    const call = pool.call("count");
    call.catch(() => {});
    await pool.close();
    await call.catch((error) => assert.match(error.message, /closed/));
  });

  it("reports a missing job", async () => {
    const { pool, ended } = start({ job: new URL("./missing.ts", import.meta.url) });
    await assert.rejects(pool.ready, UnsupportedError);
    assert.ok(await ended instanceof UnsupportedError);
    await pool.close();
  });
});
