import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { close, OpenFlag, pipe2, read } from "../../../src/sys/mod.ts";
import type { Loop } from "../../../src/threads/loop/loop.ts";
import { Placement } from "../../../src/threads/loop/placement.ts";
import { FdMailboxes } from "../../../src/threads/fd_mailboxes.ts";

/** Watches nothing: the test says when a mailbox is looked into. */
const loop = { add: () => 0 } as unknown as Loop;

/** Threads that are all this one. */
function pool(threads: number) {
  const mailboxes = new FdMailboxes(threads);
  const taken: number[][] = Array.from({ length: threads }, () => []);
  const placements = taken.map((fds, index) =>
    new Placement(loop, mailboxes.shares, index, (fd) => fds.push(fd))
  );
  return { mailboxes, placements, taken };
}

describe("Placement", () => {
  it("keeps the loads of all threads within two of each other, whoever accepts", () => {
    const { mailboxes, placements, taken } = pool(3);
    for (let fd = 1000; fd < 1090; fd++) placements[0]!.place(fd);
    for (const placement of placements) placement.onEvents();
    const counts = taken.map(({ length }) => length);
    assert.equal(counts.reduce((sum, count) => sum + count), 90);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 2, `${counts}`);
    // Nothing is lost, and nothing comes twice.
    assert.equal(new Set(taken.flat()).size, 90);
    mailboxes.close();
  });

  it("hands those that come to where others have left", () => {
    const { mailboxes, placements, taken } = pool(2);
    for (let fd = 1000; fd < 1040; fd++) placements[0]!.place(fd);
    placements[1]!.onEvents();
    const before = taken[1]!.length;
    for (let i = 0; i < before; i++) placements[1]!.left();
    for (let fd = 1100; fd < 1110; fd++) placements[0]!.place(fd);
    placements[1]!.onEvents();
    assert.equal(taken[1]!.length, before + 10);
    mailboxes.close();
  });

  it("keeps what does not go into a full mailbox", () => {
    const { mailboxes, placements, taken } = pool(2);
    const count = 100_000;
    for (let fd = 1; fd <= count; fd++) placements[0]!.place(fd);
    placements[1]!.onEvents();
    assert.equal(taken.flat().length, count);
    assert.ok(taken[0]!.length > taken[1]!.length && taken[1]!.length > 1000);
    assert.deepEqual([...mailboxes.shares.loads], taken.map(({ length }) => length));
    mailboxes.close();
  });

  it("hands nothing to a thread that wants no more", () => {
    const { mailboxes, placements, taken } = pool(2);
    placements[1]!.close();
    for (let fd = 1000; fd < 1010; fd++) placements[0]!.place(fd);
    placements[1]!.onEvents();
    assert.deepEqual(taken.map(({ length }) => length), [10, 0]);
    mailboxes.close();
  });

  it("leaves what nobody took to be closed with the mailboxes", () => {
    const { mailboxes, placements } = pool(2);
    const [kept, handed] = pipe2(OpenFlag.CLOEXEC | OpenFlag.NONBLOCK);
    placements[0]!.place(1000);
    placements[0]!.place(1001);
    placements[0]!.place(handed);
    mailboxes.close();
    // The end, because the pipe has no writer left.
    assert.equal(read(kept, new Uint8Array(1)), 0);
    close(kept);
  });
});
