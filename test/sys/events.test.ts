import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, fails, scoped } from "../_kit/fds.ts";
import { pattern } from "../_kit/temp.ts";

const { EpollEvent, EpollOp, EventfdFlag, OpenFlag, PollEvent } = sys;

describe("poll()", () => {
  it(
    "tells the events of each descriptor, in order",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const [idle] = scope.pipe();
      sys.write(write, pattern(1));
      const fds = [
        { fd: read, events: PollEvent.IN },
        { fd: idle, events: PollEvent.IN },
        { fd: { fd: write }, events: PollEvent.OUT },
        { fd: CLOSED_FD, events: PollEvent.IN },
      ];
      assert.deepEqual(sys.poll(fds, -1), [PollEvent.IN, 0, PollEvent.OUT, PollEvent.NVAL]);
    }),
  );

  it(
    "tells that the other end is gone, unasked",
    scoped((scope) => {
      const [read, write] = sys.pipe2(OpenFlag.CLOEXEC);
      scope.fd(read);
      sys.close(write);
      assert.deepEqual(sys.poll([{ fd: read, events: 0 }], -1), [PollEvent.HUP]);
      const [a, b] = scope.tcp();
      sys.shutdown(a, sys.ShutdownHow.WR);
      const [events] = sys.poll([{ fd: b, events: PollEvent.RDHUP }], 1000);
      assert.equal(events! & PollEvent.RDHUP, PollEvent.RDHUP);
    }),
  );

  it(
    "gives up after the time, and waits for nothing at all",
    scoped((scope) => {
      const [read] = scope.pipe();
      const start = performance.now();
      assert.deepEqual(sys.poll([{ fd: read, events: PollEvent.IN }], 20), [0]);
      assert.ok(performance.now() - start >= 19);
      assert.deepEqual(sys.poll([], 0), []);
    }),
  );

  it(
    "throws EINVAL for more entries than descriptors are allowed",
    scoped((scope) => {
      const [read] = scope.pipe();
      const many = new Array(1_100_000).fill({ fd: read, events: 0 });
      fails("EINVAL", "poll", () => sys.poll(many, 0));
    }),
  );
});

describe("epollCreate1(), epollCtl() and epollWait()", () => {
  it(
    "report the descriptors that are ready",
    scoped((scope) => {
      const set = scope.fd(sys.epollCreate1(sys.EpollFlag.CLOEXEC));
      const [read, write] = scope.pipe();
      sys.epollCtl(set, EpollOp.ADD, read, EpollEvent.IN);
      assert.deepEqual(sys.epollWait(set, 8, 0), []);
      sys.write(write, pattern(1));
      assert.deepEqual(sys.epollWait(set, 8, -1), [{ fd: read, events: EpollEvent.IN }]);
      sys.epollCtl(set, EpollOp.ADD, write, EpollEvent.OUT);
      assert.equal(sys.epollWait(set, 8, -1).length, 2);
      assert.equal(sys.epollWait(set, 1, -1).length, 1);
      sys.epollCtl(set, EpollOp.MOD, write, 0);
      sys.epollCtl(set, EpollOp.DEL, read);
      assert.deepEqual(sys.epollWait(set, 8, 0), []);
    }),
  );

  it(
    "report a change once with EPOLLET, and one event with EPOLLONESHOT",
    scoped((scope) => {
      const set = scope.fd(sys.epollCreate1());
      const [read, write] = scope.pipe();
      sys.epollCtl(set, EpollOp.ADD, read, EpollEvent.IN | EpollEvent.ET);
      sys.write(write, pattern(1));
      assert.equal(sys.epollWait(set, 8, 0).length, 1);
      assert.equal(sys.epollWait(set, 8, 0).length, 0);
      sys.epollCtl(set, EpollOp.MOD, read, EpollEvent.IN | EpollEvent.ONESHOT);
      assert.equal(sys.epollWait(set, 8, 0).length, 1);
      assert.equal(sys.epollWait(set, 8, 0).length, 0);
    }),
  );

  it(
    "throw EEXIST, ENOENT, EPERM, EINVAL and EBADF",
    scoped((scope) => {
      const set = scope.fd(sys.epollCreate1());
      const [read, write] = scope.pipe();
      sys.epollCtl(set, EpollOp.ADD, read, EpollEvent.IN);
      fails("EEXIST", "epoll_ctl", () => sys.epollCtl(set, EpollOp.ADD, read, EpollEvent.IN));
      fails("ENOENT", "epoll_ctl", () => sys.epollCtl(set, EpollOp.DEL, write));
      fails("EPERM", "epoll_ctl", () => sys.epollCtl(set, EpollOp.ADD, scope.open("/"), 1));
      fails("EINVAL", "epoll_ctl", () => sys.epollCtl(set, 99, read));
      fails("EINVAL", "epoll_ctl", () => sys.epollCtl(read, EpollOp.ADD, write, 1));
      fails("EINVAL", "epoll_ctl", () => sys.epollCtl(set, EpollOp.ADD, set, 1));
      fails("EBADF", "epoll_ctl", () => sys.epollCtl(set, EpollOp.ADD, CLOSED_FD, 1));
      fails("EINVAL", "epoll_wait", () => sys.epollWait(read, 1, 0));
      fails("EBADF", "epoll_wait", () => sys.epollWait(CLOSED_FD, 1, 0));
      fails("EINVAL", "epoll_create1", () => sys.epollCreate1(1));
    }),
  );
});

describe("eventfd()", () => {
  it(
    "counts, and gives the sum",
    scoped((scope) => {
      const fd = scope.fd(sys.eventfd(3, EventfdFlag.NONBLOCK | EventfdFlag.CLOEXEC));
      const number = new BigUint64Array([2n ** 40n]);
      const bytes = new Uint8Array(number.buffer);
      assert.equal(sys.write(fd, bytes), 8);
      assert.equal(sys.read(fd, bytes), 8);
      assert.equal(number[0], 2n ** 40n + 3n);
      fails("EAGAIN", "read", () => sys.read(fd, bytes));
    }),
  );

  it(
    "starts at values beyond 2^31, and gives one at a time as a semaphore",
    scoped((scope) => {
      const number = new BigUint64Array(1);
      const bytes = new Uint8Array(number.buffer);
      sys.read(scope.fd(sys.eventfd(0xffff_ffff)), bytes);
      assert.equal(number[0], 0xffff_ffffn);
      sys.read(scope.fd(sys.eventfd(5, EventfdFlag.SEMAPHORE)), bytes);
      assert.equal(number[0], 1n);
    }),
  );

  it("throws EINVAL for unknown flags", () =>
    fails("EINVAL", "eventfd", () => sys.eventfd(0, 0x40)));
});
