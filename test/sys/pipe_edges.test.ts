import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { platform } from "../../ffi/platform/mod.ts";
import * as sys from "../../src/sys/mod.ts";
import { drain, fails, scoped } from "../_kit/fds.ts";
import { pattern } from "../_kit/temp.ts";

const { SpliceFlag } = sys;
const PAGE = sys.pageSize();
const TRIES = 20;
const EINVAL = -22;
/** `SO_RCVTIMEO`, and a `struct timeval` of 0.2 s. */
const SO_RCVTIMEO = 20;
const TIMEOUT = new Uint8Array(BigInt64Array.of(0n, 200_000n).buffer);

/** A region of so many bytes. */
function memory(length: number): sys.Region {
  const { READ, WRITE } = sys.Protection;
  const { PRIVATE, ANONYMOUS } = sys.MapFlag;
  return sys.mmap(length, READ | WRITE, PRIVATE | ANONYMOUS, null);
}

describe("splice() of the kernel", () => {
  it(
    "waits for a blocking socket although NONBLOCK is given",
    scoped((scope) => {
      const [, server] = scope.tcp();
      const [, write] = scope.pipe();
      sys.raw.setsockoptBytes(server, sys.SocketLevel.SOCKET, SO_RCVTIMEO, TIMEOUT);
      sys.setStatusFlags(server, 0);
      const splice = (from: number, to: number) =>
        sys.splice(from, null, to, null, PAGE, SpliceFlag.NONBLOCK);
      const began = performance.now();
      fails("EAGAIN", "splice", () => splice(server, write));
      assert.ok(performance.now() - began > 150, "did not wait");
    }),
  );

  it(
    "holds a small piece with MORE back for a moment, and lets it go by itself",
    scoped((scope) => {
      for (let i = 0; i < TRIES; i++) {
        const [client, server] = scope.tcp();
        const [read, write] = scope.pipe();
        sys.write(write, pattern(5));
        assert.equal(sys.splice(read, null, client, null, 5, SpliceFlag.MORE), 5);
        const held = sys.raw.poll(server, sys.PollEvent.IN, 1) === 0;
        assert.ok(sys.raw.poll(server, sys.PollEvent.IN, 20_000) > 0, "it never came");
        if (held) return;
      }
      assert.fail(`in none of ${TRIES} tries`);
    }),
  );

  it(
    "takes the holes of a file for zeros",
    scoped((scope) => {
      const file = scope.memfd();
      sys.ftruncate(file, 3 * PAGE);
      const [read, write] = scope.pipe();
      assert.equal(sys.splice(file, 0, write, null, 4 * PAGE), 3 * PAGE);
      assert.deepEqual(drain(read), new Uint8Array(3 * PAGE));
      assert.equal(sys.splice(file, 3 * PAGE, write, null, PAGE), 0);
    }),
  );
});

describe("fcntl() of the kernel", () => {
  it(
    "refuses a pipe of more than 2 GiB",
    scoped((scope) => {
      const [, write] = scope.pipe();
      // The kernel takes the argument for unsigned.
      assert.equal(sys.raw.fcntl(write, platform.fcntl.SETPIPE_SZ, 2 ** 31 + 1), EINVAL);
    }),
  );
});

describe("vmsplice() of the kernel", () => {
  it(
    "needs a slot for each page that it touches",
    scoped((scope) => {
      const [read, write] = scope.pipe();
      const capacity = sys.pipeSize(write);
      const region = scope.map(memory(capacity + PAGE));
      const range = { region, offset: 100, length: capacity };
      assert.equal(sys.vmsplice(write, [range], SpliceFlag.NONBLOCK), capacity - 100);
      assert.equal(drain(read).length, capacity - 100);
    }),
  );

  it(
    "accepts pages as a gift that are none",
    scoped((scope) => {
      const region = scope.map(memory(2 * PAGE));
      const [read, write] = scope.pipe();
      const range = { region, offset: 1, length: PAGE };
      assert.equal(sys.vmsplice(write, [range], SpliceFlag.GIFT), PAGE);
      assert.equal(drain(read).length, PAGE);
    }),
  );
});
