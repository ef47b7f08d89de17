/** The queries of the probes and of the command. */

import assert from "node:assert/strict";
import { errnoNumber } from "../../src/errors.ts";
import { getPriority, networkInterfaces } from "node:os";
import process from "node:process";
import { describe, it } from "node:test";
import { AddressFamily, raw, SocketType } from "../../src/sys/mod.ts";
import { platform } from "../../ffi/platform/mod.ts";

const NOFILE = 7;
/** `ETHTOOL_GSG`: whether the interface supports scatter-gather. */
const GATHERS = 0x18;
const NO_LOOPBACK = Object.hasOwn(networkInterfaces(), "lo") ? false : "there is no interface lo";

describe("raw calls that inspect", () => {
  it("getrlimit() tells the soft and the hard limit", () => {
    const out = new BigUint64Array(2);
    assert.equal(raw.getrlimit(NOFILE, out), 0);
    assert.ok(out[0]! > 0n && out[0]! <= out[1]!, String(out));
    assert.equal(raw.getrlimit(-1, out), -errnoNumber("EINVAL"));
  });

  it("getrusage() counts the CPU time and the faults of this process", () => {
    const [before, after] = [new BigInt64Array(18), new BigInt64Array(18)];
    assert.equal(raw.getrusage(before), 0);
    const micros = (of: BigInt64Array) => of[0]! * 1_000_000n + of[1]!;
    for (let turn = 0; micros(after) <= micros(before); turn++) {
      for (let i = 0; i < 1e6; i++) Math.sqrt(i);
      assert.equal(raw.getrusage(after), 0);
      assert.ok(turn < 10_000, "no time passes");
    }
    assert.ok(after[6]! >= before[6]!);
  });

  it("ethtool() answers for the loopback interface", { skip: NO_LOOPBACK }, () => {
    const socket = raw.socket(AddressFamily.INET, SocketType.DGRAM | SocketType.CLOEXEC, 0);
    assert.equal(raw.ethtool(socket, "lo", GATHERS), 1);
    assert.equal(raw.ethtool(socket, "no such one", GATHERS), -errnoNumber("ENODEV"));
    raw.close(socket);
  });

  it("landlockVersion() tells a version or why there is none", () => {
    const version = raw.landlockVersion();
    const reasons = ["ENOSYS", "EOPNOTSUPP", "EPERM"].map((name) => -errnoNumber(name));
    assert.ok(version > 0 || reasons.includes(version), String(version));
  });

  it("processVmReadSelf() reads 8 bytes, unless that is forbidden", () => {
    const count = raw.processVmReadSelf(process.pid);
    const reasons = ["ENOSYS", "EPERM"].map((name) => -errnoNumber(name));
    assert.ok(count === 8 || reasons.includes(count), String(count));
  });

  it("pollArray() counts the descriptors that have events", () => {
    const [read, write] = [new Int32Array(2), new Int32Array(2)];
    for (const pair of [read, write]) assert.equal(raw.pipe2(pair, platform.open.CLOEXEC), 0);
    raw.write(read[1]!, new Uint8Array(1));
    const fds = new Uint8Array(16);
    const view = new DataView(fds.buffer);
    for (const [i, [fd]] of [read, write].entries()) {
      view.setInt32(i * 8, fd!, true);
      view.setInt16(i * 8 + 4, 1, true);
    }
    assert.equal(raw.pollArray(fds, 0), 1);
    assert.deepEqual([view.getInt16(6, true), view.getInt16(14, true)], [1, 0]);
    for (const fd of [...read, ...write]) raw.close(fd);
  });

  it("EventList tells both halves of what epollCtl() was given", () => {
    const epoll = raw.epollCreate1(platform.open.CLOEXEC);
    const pipe = new Int32Array(2);
    assert.equal(raw.pipe2(pipe, platform.open.CLOEXEC), 0);
    const [read, write] = [pipe[0]!, pipe[1]!];
    assert.equal(raw.epollCtl(epoll, 1, read, 1, read, 77), 0);
    raw.write(write, new Uint8Array(1));
    const list = new raw.EventList(2);
    assert.equal(list.wait(epoll, 0), 1);
    assert.deepEqual([list.fd(0), list.upper(0), list.events(0)], [read, 77, 1]);
    for (const fd of [epoll, read, write]) raw.close(fd);
  });

  it("setThreadPriority() takes the priority that the thread has", () => {
    assert.equal(raw.setThreadPriority(getPriority()), 0);
  });

  it("keepFromChildren() and useHugePages() take whole pages only", () => {
    const page = 65536;
    const whole = raw.posixMemalign(page, page);
    const part = raw.posixMemalign(page, 512);
    assert.ok(typeof whole === "object" && typeof part === "object");
    assert.equal(raw.keepFromChildren(whole), 0);
    assert.equal(raw.keepFromChildren(part), -errnoNumber("EINVAL"));
    // A kernel without huge pages refuses them.
    assert.ok([0, -errnoNumber("EINVAL")].includes(raw.useHugePages(whole)));
    assert.equal(raw.useHugePages(part), -errnoNumber("EINVAL"));
    for (const region of [whole, part]) raw.free(region);
  });
});
