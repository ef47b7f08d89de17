import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, fails, type Scope, scoped } from "../_kit/fds.ts";
import { pattern } from "../_kit/temp.ts";

const PARAMS = 120;
const SQE = 64;
const OP_NOP = 0;
const OP_SPLICE = 30;
const REGISTER_EVENTFD = 4;
const UNREGISTER_EVENTFD = 5;
const REGISTER_PROBE = 8;
const FEATURE_SINGLE_MMAP = 1;

/** Why there is no ring on this system, if so; containers often forbid it. */
const UNAVAILABLE: string | false = (() => {
  try {
    sys.close(sys.ioUringSetup(1, new Uint8Array(PARAMS)));
    return false;
  } catch (error) {
    return (error as Error).message;
  }
})();

/** A ring of our own, as small as can be. */
class Ring {
  readonly fd: number;
  readonly #params: DataView;
  readonly #rings: DataView;
  readonly #entries: DataView;

  constructor(scope: Scope) {
    const params = new Uint8Array(PARAMS);
    this.fd = scope.fd(sys.ioUringSetup(4, params));
    this.#params = new DataView(params.buffer);
    assert.ok(this.#at(20) & FEATURE_SINGLE_MMAP, "one mapping for both rings");
    const { READ, WRITE } = sys.Protection;
    const flags = sys.MapFlag.SHARED | sys.MapFlag.POPULATE;
    const show = (length: number, offset: number) => {
      const region = scope.map(sys.mmap(length, READ | WRITE, flags, this.fd, offset));
      const bytes = region.bytes();
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    };
    const completions = this.#at(100) + this.#at(4) * 16;
    const submissions = this.#at(64) + this.#at(0) * 4;
    this.#rings = show(Math.max(completions, submissions), sys.UringOffset.SQ_RING);
    this.#entries = show(this.#at(0) * SQE, sys.UringOffset.SQES);
  }

  /** Submits one entry and waits for its completion: `[user data, result]`. */
  run(fill: (entry: DataView) => void): [bigint, number] {
    const tail = this.#rings.getUint32(this.#at(44), true);
    const index = tail & (this.#at(0) - 1);
    const entry = new DataView(this.#entries.buffer, this.#entries.byteOffset + index * SQE, SQE);
    fill(entry);
    this.#rings.setUint32(this.#at(64) + index * 4, index, true);
    this.#rings.setUint32(this.#at(44), tail + 1, true);
    assert.equal(sys.ioUringEnter(this.fd, 1, 1, sys.UringEnterFlag.GETEVENTS), 1);
    const head = this.#rings.getUint32(this.#at(80), true);
    const at = this.#at(100) + (head & (this.#at(4) - 1)) * 16;
    this.#rings.setUint32(this.#at(80), head + 1, true);
    return [this.#rings.getBigUint64(at, true), this.#rings.getInt32(at + 8, true)];
  }

  /** A number of `struct io_uring_params`. */
  #at(offset: number): number {
    return this.#params.getUint32(offset, true);
  }
}

describe("io_uring", { skip: UNAVAILABLE }, () => {
  it(
    "runs a no-op and a splice",
    scoped((scope) => {
      const ring = new Ring(scope);
      assert.deepEqual(ring.run((sqe) => sqe.setBigUint64(32, 77n, true)), [77n, 0]);
      const file = scope.memfd(pattern(100));
      const [read, write] = scope.pipe();
      const [user, moved] = ring.run((sqe) => {
        sqe.setUint8(0, OP_SPLICE);
        sqe.setInt32(4, write, true);
        sqe.setBigInt64(8, -1n, true);
        sqe.setBigUint64(16, 10n, true);
        sqe.setUint32(24, 50, true);
        sqe.setBigUint64(32, 2n ** 60n, true);
        sqe.setInt32(44, file, true);
      });
      assert.deepEqual([user, moved], [2n ** 60n, 50]);
      const target = new Uint8Array(50);
      assert.equal(sys.read(read, target), 50);
      assert.deepEqual(target, pattern(100).subarray(10, 60));
    }),
  );

  it(
    "tells by a probe what it can do",
    scoped((scope) => {
      const ring = new Ring(scope);
      const probe = new Uint8Array(16 + 8 * 64);
      sys.ioUringRegister(ring.fd, REGISTER_PROBE, probe, 64);
      assert.ok(probe[0]! >= OP_SPLICE, "last operation");
      assert.equal(probe[16 + OP_NOP * 8 + 2]! & 1, 1, "no-op is supported");
    }),
  );

  it(
    "throws EINVAL, EOPNOTSUPP and EBADF",
    scoped((scope) => {
      const ring = new Ring(scope);
      fails("EINVAL", "io_uring_setup", () => sys.ioUringSetup(0, new Uint8Array(PARAMS)));
      fails("EINVAL", "io_uring_register", () => sys.ioUringRegister(ring.fd, 9999, null, 0));
      fails("EINVAL", "io_uring_enter", () => sys.ioUringEnter(ring.fd, 0, 0, 0x4000_0000));
      fails("EOPNOTSUPP", "io_uring_enter", () => sys.ioUringEnter(scope.memfd(), 0, 0));
      fails(
        "EOPNOTSUPP",
        "io_uring_register",
        () => sys.ioUringRegister(scope.memfd(), REGISTER_PROBE, null, 0),
      );
      fails("EBADF", "io_uring_enter", () => sys.ioUringEnter(CLOSED_FD, 0, 0));
      fails("EBADF", "io_uring_register", () => sys.ioUringRegister(CLOSED_FD, 8, null, 0));
    }),
  );

  it(
    "throws EBUSY, ENXIO and EFAULT for what is registered twice, never, and nowhere",
    scoped((scope) => {
      const ring = new Ring(scope);
      const register = (opcode: number, arg: Uint8Array | null, count: number) =>
        sys.ioUringRegister(ring.fd, opcode, arg, count);
      const eventfd = new Uint8Array(Int32Array.of(scope.fd(sys.eventfd(0))).buffer);
      fails("ENXIO", "io_uring_register", () => register(UNREGISTER_EVENTFD, null, 0));
      fails("EFAULT", "io_uring_register", () => register(REGISTER_EVENTFD, null, 1));
      register(REGISTER_EVENTFD, eventfd, 1);
      fails("EBUSY", "io_uring_register", () => register(REGISTER_EVENTFD, eventfd, 1));
    }),
  );

  it("refuses params that are too short", () => {
    assert.throws(() => sys.ioUringSetup(1, new Uint8Array(PARAMS - 1)), RangeError);
  });
});
