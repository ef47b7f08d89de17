import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { UnsupportedError } from "../../src/errors.ts";
import { close, fcntl, open, pipe2 } from "../../src/sys/raw/mod.ts";
import { WorkerHost, type WorkerHostOptions } from "../../src/threads/worker_host.ts";
import { assertDescriptors, openDescriptors } from "../_kit/descriptors.ts";
import { openDescriptors as listDescriptors } from "../_kit/leaks.ts";

const JOB = new URL("./_fixtures/job.ts", import.meta.url);
const F_GETFD = 1;

const openReadOnly = () => open("/dev/null", 0, 0);

interface Running {
  readonly host: WorkerHost;
  readonly records: [number, number][];
  readonly ended: Promise<Error>;
  /** Resolves when there are `count` records. */
  received(count: number): Promise<void>;
}

function start(options: Partial<WorkerHostOptions> = {}): Running {
  const records: [number, number][] = [];
  let notify = () => {};
  const ended = Promise.withResolvers<Error>();
  const host = new WorkerHost({
    job: JOB,
    data: 10,
    ...options,
    completed(id, result) {
      records.push([id, result]);
      notify();
    },
    ended: ended.resolve,
  });
  host.ref();
  const received = (count: number) =>
    new Promise<void>((resolve) => {
      notify = () => records.length >= count && resolve();
      notify();
    });
  return { host, records, ended: ended.promise, received };
}

describe("Host", () => {
  it("runs a job from a URL with its data, and answers commands in order", async () => {
    const { host, records, received } = start();
    for (const command of [1, 2, 3]) host.post(command);
    await received(3);
    assert.deepEqual(records, [[1, 10], [2, 20], [3, 30]]);
    await host.close();
  });

  it("reports a Worker that cannot be woken, instead of waiting for it", async () => {
    const before = listDescriptors();
    const { host, ended, received } = start();
    host.post(1);
    await received(1);
    const eventfd = listDescriptors().find((each) =>
      !before.includes(each) && each.endsWith("[eventfd]")
    );
    const wakeFd = Number(eventfd!.split(":")[0]);
    // Nothing can be written to what then has its number.
    close(wakeFd);
    const others: number[] = [];
    let fd = openReadOnly();
    for (; fd !== wakeFd && fd >= 0; fd = openReadOnly()) others.push(fd);
    for (const other of others) close(other);
    host.post(2);
    assert.match(
      (await ended).message,
      /^EBADF: Cannot wake the Worker "sluice": write\(2\) failed/,
    );
    await host.close();
  });

  it("delivers more records than the socket holds", async () => {
    const { host, records, received } = start();
    host.post("many");
    const until = Date.now() + 50;
    while (Date.now() < until); // the Worker runs into a full socket meanwhile
    await received(5000);
    assert.equal(records.length, 5000);
    assert.ok(records.every(([id, result], i) => id === i && result === (i === 0 ? 0 : -i)));
    await host.close();
  });

  it("leaves no descriptor and no listener behind when it is closed", async () => {
    await start().host.close();
    const before = openDescriptors();
    const listeners = process.listenerCount("exit");
    const fds = new Int32Array(2);
    const hosts = Array.from({ length: 4 }, () => {
      pipe2(fds, 0);
      return start({ fds: [...fds] });
    });
    assert.ok(process.listenerCount("exit") <= listeners + 1);
    hosts[0]!.host.post(1);
    await hosts[0]!.received(1);
    await Promise.all(hosts.map(({ host }) => host.close()));
    assert.equal(process.listenerCount("exit"), listeners);
    await assertDescriptors(before);
  });

  it("can be closed twice, and used after that", async () => {
    const { host } = start();
    const closing = host.close();
    assert.equal(host.close(), closing);
    await closing;
    host.post(1);
    host.ref();
    host.unref();
  });

  for (const [mayHang, most] of [[true, 3000], [false, 15_000]] as const) {
    it(`terminates a job that does not stop, and ${mayHang ? "may" : "must not"} hang`, async () => {
      const { host, received } = start({ mayHang });
      host.post(1);
      host.post("hang");
      await received(1);
      const before = Date.now();
      await host.close();
      assert.ok(Date.now() - before < most, `took ${Date.now() - before} ms`);
    });
  }

  it("lets a job that is slow come to its end", async () => {
    const data = new Int32Array(new SharedArrayBuffer(4));
    const { host, received } = start({ data });
    host.post(1);
    host.post("slow");
    await received(1);
    await host.close();
    assert.equal(data[0], 1);
  });

  it("reports a job that throws", async () => {
    const { host, ended } = start();
    host.post("throw");
    assert.match((await ended).message, /thrown on purpose/);
    await host.close();
  });

  it("reports a missing job as UnsupportedError", async () => {
    const { ended } = start({ job: new URL("./missing.ts", import.meta.url) });
    assert.ok(await ended instanceof UnsupportedError);
  });

  it("reports a missing Worker file as UnsupportedError with the remedy", async () => {
    await start().host.close();
    const before = openDescriptors();
    const fds = new Int32Array(2);
    pipe2(fds, 0);
    const workerUrl = new URL("./missing.js", import.meta.url);
    const { ended } = start({ workerUrl, fds: [...fds] });
    const error = await ended;
    assert.ok(error instanceof UnsupportedError);
    assert.match(error.message, /missing\.js.*SLUICE_WORKER/);
    assert.ok(fcntl(fds[0]!, F_GETFD, 0) < 0, "a descriptor for the Worker is open");
    await assertDescriptors(before);
  });

  it("starts the Worker file that workerUrl names, as a URL or as a path", async () => {
    const entry = new URL("../../src/threads/worker.ts", import.meta.url);
    for (const workerUrl of [entry, entry.href, entry.pathname, relative(entry)]) {
      const { host, received } = start({ workerUrl });
      host.post(1);
      await received(1);
      await host.close();
    }
  });
});

function relative(url: URL): string {
  return url.href.slice(pathToFileURL(process.cwd()).href.length + 1);
}
