import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { Crew, type CrewOptions } from "../../src/wait/crew.ts";
import { openListener } from "../../src/wait/listener.ts";
import { Mailboxes } from "../../src/wait/mailboxes.ts";
import { UnsupportedError } from "../../src/errors.ts";
import { assertDescriptors, openDescriptors } from "../_kit/descriptors.ts";

const JOB = new URL("./_fixtures/crew_job.ts", import.meta.url);

interface Running {
  readonly crew: Crew;
  readonly port: number;
  readonly ended: Promise<Error>;
}

function start(options: Partial<CrewOptions> = {}): Running {
  const listener = openListener({ family: "IPv4", address: "127.0.0.1", port: 0 });
  const { port } = sys.getsockname(listener) as sys.IpAddress;
  const { promise: ended, resolve } = Promise.withResolvers<Error>();
  const crew = new Crew({
    job: JOB,
    name: "test",
    threads: 2,
    data: (index) => `thread ${index}`,
    fds: () => [sys.dupCloexec(listener)],
    ended: resolve,
    ...options,
  });
  sys.close(listener);
  crew.ref();
  return { crew, port, ended };
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
    const { crew, port } = start();
    await crew.ready;
    for (let i = 0; i < 20; i++) assert.match(await greeting(port), /^thread [01]$/);
    const counts = await crew.call("count");
    assert.equal(counts.length, 2);
    assert.equal(counts[0]! + counts[1]!, 20);
    await crew.close();
  });

  it("leaves no descriptor behind", async () => {
    await start().crew.close();
    const before = openDescriptors();
    const { crew } = start();
    await crew.ready;
    await crew.close();
    await crew.close();
    await assertDescriptors(before);
  });

  it("lets go of what its threads share once, when they are gone", async () => {
    await start().crew.close();
    const before = openDescriptors();
    let gone = 0;
    const boxes = new Mailboxes(2);
    const { crew } = start({ gone: () => (gone++, boxes.close()) });
    await crew.ready;
    assert.equal(gone, 0);
    await Promise.all([crew.close(), crew.close()]);
    assert.equal(gone, 1);
    await assertDescriptors(before);
  });

  it("lets go of it, too, when one of them cannot be started", async () => {
    await start().crew.close();
    const before = openDescriptors();
    const boxes = new Mailboxes(2);
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
    assert.throws(() => new Crew(options), /no descriptor is left/);
    sys.close(listener);
    await promise;
    clearInterval(alive);
    await assertDescriptors(before);
  });

  it("rejects what is not answered when a thread ends, and says so once", async () => {
    const { crew, ended } = start();
    await crew.ready;
    await assert.rejects(crew.call("throw"), /thrown on purpose/);
    assert.match((await ended).message, /thrown on purpose/);
    await assert.rejects(crew.call("count"), /thrown on purpose/);
    await crew.close();
  });

  it("rejects what is not answered when it is closed", async () => {
    const { crew } = start();
    const call = crew.call("count");
    call.catch(() => {});
    await crew.close();
    await call.catch((error) => assert.match(error.message, /closed/));
  });

  it("reports a missing job", async () => {
    const { crew, ended } = start({ job: new URL("./missing.ts", import.meta.url) });
    await assert.rejects(crew.ready, UnsupportedError);
    assert.ok(await ended instanceof UnsupportedError);
    await crew.close();
  });
});
