import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { close, fcntl, pipe2, poll, read, socketpair, write } from "../../../src/sys/raw/mod.ts";
import { PollEvent } from "../../../src/sys/flags/event.ts";
import { ready, whenReady } from "../../../src/threads/poll/poll_ready.ts";
import { assertDescriptors, openDescriptors } from "../../_kit/descriptors.ts";
import { assertQuick } from "../../_kit/quick.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const F_DUPFD = 0;
const ONE = new Uint8Array(1);

interface Pair {
  readonly from: number;
  readonly to: number;
  close(): void;
}

function pair(make: (fds: Int32Array) => number): Pair {
  const fds = new Int32Array(2);
  assert.equal(make(fds), 0);
  const [from, to] = [fds[0]!, fds[1]!];
  return { from, to, close: () => fds.forEach((fd) => close(fd)) };
}

const pipe = (): Pair => pair((fds) => pipe2(fds, 0));
const sockets = (): Pair => pair((fds) => socketpair(AF_UNIX, SOCK_STREAM, 0, fds));

/** Moves whatever `fd` refers to onto the number `to`, which must be free. */
function renumber(fd: number, to: number): void {
  assert.equal(fcntl(fd, F_DUPFD, to), to);
  close(fd);
}

function unexpected(value: unknown): void {
  assert.fail(`called with ${value}`);
}

describe("ready()", () => {
  it("resolves when a pipe becomes readable", async () => {
    const { from, to, close } = pipe();
    const wait = ready(from, PollEvent.IN);
    setTimeout(() => write(to, ONE), 20);
    assert.equal(await wait, PollEvent.IN);
    close();
  });

  it("waits for a number whose duplicate was closed before its wait ended", async () => {
    const { from, to, close: closePair } = pipe();
    const first = fcntl(from, F_DUPFD, from + 1);
    const cancel = whenReady(first, PollEvent.IN, unexpected, unexpected);
    // The kernel forgets a registration when its file is closed, and this one is still open.
    close(first);
    cancel();
    const second = fcntl(from, F_DUPFD, from + 1);
    assert.equal(second, first);
    const wait = ready(second, PollEvent.IN);
    setTimeout(() => write(to, ONE), 20);
    assert.equal(await wait, PollEvent.IN);
    close(second);
    closePair();
  });

  it("resolves when a full socket becomes writable", async () => {
    const { from, to, close } = sockets();
    fcntl(to, 4, 0o4000);
    const block = new Uint8Array(65536);
    while (write(to, block) > 0);
    const wait = ready(to, PollEvent.OUT);
    setTimeout(() => {
      while (poll(from, PollEvent.IN, 0) > 0) read(from, block);
    }, 20);
    assert.equal(await wait, PollEvent.OUT);
    close();
  });

  it("resolves at once when the descriptor is ready", async () => {
    const { from, to, close } = sockets();
    write(to, ONE);
    assert.equal(await ready(from, PollEvent.IN | PollEvent.OUT), PollEvent.IN | PollEvent.OUT);
    close();
  });

  it("resolves at once for a regular file", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-"));
    writeFileSync(join(dir, "file"), "");
    const fd = openSync(join(dir, "file"), "r+");
    assert.equal(await ready(fd, PollEvent.IN), PollEvent.IN);
    // poll(2) does not report PRI for it; epoll_ctl(2) then says EPERM.
    assert.equal(await ready(fd, PollEvent.PRI), PollEvent.PRI);
    closeSync(fd);
    rmSync(dir, { recursive: true });
  });

  it("reports a hang-up that nobody asked for", async () => {
    const { from, to } = pipe();
    const wait = ready(from, PollEvent.IN);
    setTimeout(() => close(to), 20);
    assert.equal(await wait, PollEvent.HUP);
    close(from);
  });

  it("serves two waits for different events of one descriptor", async () => {
    const { from, to, close } = sockets();
    fcntl(to, 4, 0o4000);
    while (write(to, new Uint8Array(65536)) > 0);
    const readable = ready(to, PollEvent.IN);
    const writable = ready(to, PollEvent.OUT);
    const also = ready(to, PollEvent.IN);
    write(from, ONE);
    assert.equal(await readable, PollEvent.IN);
    assert.equal(await also, PollEvent.IN);
    assert.equal(await Promise.race([writable, sleep(50, "waiting")]), "waiting");
    while (poll(from, PollEvent.IN, 0) > 0) read(from, new Uint8Array(65536));
    assert.equal(await writable & PollEvent.OUT, PollEvent.OUT);
    close();
  });

  it("rejects with the signal's reason, and leaves the other wait", async () => {
    const { from, to, close } = pipe();
    const controller = new AbortController();
    const reason = new Error("stop");
    const aborted = ready(from, PollEvent.IN, { signal: controller.signal });
    const other = ready(from, PollEvent.IN);
    controller.abort(reason);
    await assert.rejects(aborted, reason);
    write(to, ONE);
    assert.equal(await other, PollEvent.IN);
    await assert.rejects(ready(from, PollEvent.IN, { signal: controller.signal }), reason);
    close();
  });

  it("rejects with EBADF at once when the descriptor is not open", async () => {
    const { from, close } = pipe();
    close();
    await assert.rejects(ready(from, PollEvent.IN), { code: "EBADF", syscall: "poll" });
  });

  it("rejects with EBADF when the descriptor is closed meanwhile", async () => {
    await assertQuick(1500, async () => {
      const { from, to } = pipe();
      const wait = ready(from, PollEvent.IN);
      close(from);
      const before = Date.now();
      await assert.rejects(wait, { code: "EBADF", name: "SyscallError" });
      close(to);
      return Date.now() - before;
    });
  });

  it("is not resolved by whoever uses the number next", async () => {
    const first = pipe();
    const wait = ready(first.from, PollEvent.IN);
    const second = pipe();
    write(second.to, ONE);
    close(first.from);
    renumber(second.from, first.from);
    await assert.rejects(wait, { code: "EBADF" });
    assert.equal(await ready(first.from, PollEvent.IN), PollEvent.IN);
    for (const fd of [first.from, first.to, second.to]) close(fd);
  });

  it("rejects the older wait when the number is waited for again", async () => {
    await assertQuick(100, async () => {
      const first = pipe();
      const wait = ready(first.from, PollEvent.IN);
      const second = pipe();
      close(first.from);
      renumber(second.from, first.from);
      const next = ready(first.from, PollEvent.IN);
      const before = Date.now();
      await assert.rejects(wait, { code: "EBADF" });
      const took = Date.now() - before;
      write(second.to, ONE);
      assert.equal(await next, PollEvent.IN);
      for (const fd of [first.from, first.to, second.to]) close(fd);
      return took;
    });
  });

  it("ignores a file that lives on as a duplicate after its number was closed", async () => {
    const first = pipe();
    const duplicate = fcntl(first.from, F_DUPFD, 0);
    const wait = ready(first.from, PollEvent.IN);
    const second = pipe();
    close(first.from);
    renumber(second.from, first.from);
    const next = ready(first.from, PollEvent.IN);
    await assert.rejects(wait, { code: "EBADF" });
    write(first.to, ONE);
    assert.equal(await Promise.race([next, sleep(50, "waiting")]), "waiting");
    write(second.to, ONE);
    assert.equal(await next, PollEvent.IN);
    for (const fd of [first.from, first.to, second.to, duplicate]) close(fd);
  });

  it("serves 1000 waits at once", async () => {
    const pipes = Array.from({ length: 1000 }, pipe);
    const waits = pipes.map(({ from }) => ready(from, PollEvent.IN));
    for (const { to } of pipes) write(to, ONE);
    assert.ok((await Promise.all(waits)).every((events) => events === PollEvent.IN));
    for (const { close } of pipes) close();
  });

  it("leaves no descriptor behind, whatever ended the wait", async () => {
    const warm = pipe();
    write(warm.to, ONE);
    await ready(warm.from, PollEvent.IN);
    const before = openDescriptors();
    for (let i = 0; i < 50; i++) {
      const { from, to, close } = pipe();
      const controller = new AbortController();
      const aborted = ready(from, PollEvent.IN, { signal: controller.signal });
      const done = ready(from, PollEvent.IN);
      controller.abort();
      await assert.rejects(aborted, { name: "AbortError" });
      write(to, ONE);
      await done;
      close();
    }
    warm.close();
    await assertDescriptors(before - 2);
  });

  it("refuses arguments that are not descriptors or events", async () => {
    await assert.rejects(ready(1.5, PollEvent.IN), TypeError);
    await assert.rejects(ready("1" as unknown as number, PollEvent.IN), TypeError);
    await assert.rejects(ready(-1, PollEvent.IN), RangeError);
    await assert.rejects(ready(2 ** 31, PollEvent.IN), RangeError);
    await assert.rejects(ready(0, 0), RangeError);
    await assert.rejects(ready(0, 1 << 30), RangeError);
    await assert.rejects(ready(0, NaN), TypeError);
  });
});

describe("whenReady()", () => {
  it("calls back later, also for a descriptor that is ready", async () => {
    const { from, to, close } = pipe();
    write(to, ONE);
    let returned = false;
    const events = await new Promise<number>((resolve, reject) => {
      whenReady(from, PollEvent.IN, (events) => {
        assert.ok(returned);
        resolve(events);
      }, reject);
      returned = true;
    });
    assert.equal(events, PollEvent.IN);
    close();
  });

  it("calls nothing after it was cancelled", async () => {
    const { from, to, close } = pipe();
    const cancel = whenReady(from, PollEvent.IN, unexpected, unexpected);
    cancel();
    cancel();
    write(to, ONE);
    await sleep(50);
    close();
  });

  it("throws EBADF for a descriptor that is not open", () => {
    const { from, close } = pipe();
    close();
    assert.throws(() => whenReady(from, PollEvent.IN, unexpected, unexpected), { code: "EBADF" });
  });
});
