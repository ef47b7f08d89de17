/**
 * The three calls of io_uring, through syscall(2). Linux only.
 *
 * Map rings and entries with `mmap()` at the offsets that the kernel fills in. The kernel obeys
 * every entry: an entry with a wrong address reads or overwrites whatever memory is there.
 *
 * @module
 */

import { bytesOf, flagsOf, unsignedOf } from "./arguments.ts";
import { check } from "./check.ts";
import { type FdLike, fdOf } from "./fd.ts";
import * as raw from "./raw/mod.ts";

/** Offsets for `mmap()` of the descriptor of a ring. */
export const UringOffset = {
  /** `IORING_OFF_SQ_RING`: the submission ring, and with `IORING_FEAT_SINGLE_MMAP` both rings. */
  SQ_RING: 0,
  /** `IORING_OFF_CQ_RING`: the completion ring. */
  CQ_RING: 0x800_0000,
  /** `IORING_OFF_SQES`: the entries, of 64 bytes each. */
  SQES: 0x1000_0000,
} as const;

/**
 * Creates a ring.
 *
 * @param entries Submission entries; rounded up to a power of two.
 * @param params 120 bytes, `struct io_uring_params`: read, and filled with sizes and offsets.
 * @returns The descriptor, closed on exec; the caller closes it.
 *
 * @throws {TypeError} When `params` is not a `Uint8Array`.
 * @throws {RangeError} When `entries` is not an integer in 0..2^32-1, or `params` is shorter.
 * @throws {SyscallError} `EINVAL` for 0 or more than 32768 entries, or unknown flags; `EPERM` when
 * the system forbids io_uring (`kernel.io_uring_disabled`, seccomp); `ENOSYS`; `ENOMEM`, `EMFILE`.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/io_uring_setup.2.html}
 */
export function ioUringSetup(entries: number, params: Uint8Array): number {
  unsignedOf(entries, "entries");
  bytesOf(params, "params");
  return check(raw.ioUringSetup(entries, params), "io_uring_setup", () => "create a ring");
}

/**
 * Submits entries and waits for completions.
 *
 * @param ring Descriptor of the ring.
 * @param toSubmit Entries to submit.
 * @param minComplete Completions to wait for, with `UringEnterFlag.GETEVENTS`.
 * @param flags Or-ed bits of `UringEnterFlag`. Default: 0.
 * @param arg A signal mask, or with `EXT_ARG` a `struct io_uring_getevents_arg`. Default: null.
 * @returns Entries submitted, possibly fewer than `toSubmit`.
 *
 * @throws {TypeError} When `ring` is not a descriptor, or `arg` is not a `Uint8Array`.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EBADF`; `EOPNOTSUPP` when `ring` is not a ring; `EINVAL` for unknown
 * flags; `EBUSY`, `EAGAIN` when you must take completions first; `ETIME`, `EINTR` while waiting.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/io_uring_enter.2.html}
 */
export function ioUringEnter(
  ring: FdLike,
  toSubmit: number,
  minComplete: number,
  flags: number = 0,
  arg: Uint8Array | null = null,
): number {
  const fd = fdOf(ring, "ring");
  unsignedOf(toSubmit, "toSubmit");
  unsignedOf(minComplete, "minComplete");
  flagsOf(flags);
  if (arg !== null) bytesOf(arg, "arg");
  return check(
    raw.ioUringEnter(fd, toSubmit, minComplete, flags, arg),
    "io_uring_enter",
    () => `enter the ring ${fd}`,
  );
}

/**
 * Registers resources such as files or an eventfd with a ring, or queries its features.
 *
 * @param ring Descriptor of the ring.
 * @param opcode One of the `IORING_REGISTER_...` numbers.
 * @param arg Structure or array for the opcode. It must not hold addresses of memory that may be
 * garbage-collected.
 * @param count Number of elements in `arg`.
 * @returns 0, or the result of the opcode.
 *
 * @throws {TypeError} When `ring` is not a descriptor, or `arg` is not a `Uint8Array`.
 * @throws {RangeError} When a number is out of range.
 * @throws {SyscallError} `EINVAL` for an unknown opcode or a wrong count; `EBADF`; `EOPNOTSUPP`
 * when `ring` is not a ring; `EBUSY`, `ENXIO`, `EFAULT`, `ENOMEM` by opcode.
 *
 * @see {@link https://man7.org/linux/man-pages/man2/io_uring_register.2.html}
 */
export function ioUringRegister(
  ring: FdLike,
  opcode: number,
  arg: Uint8Array | null,
  count: number,
): number {
  const fd = fdOf(ring, "ring");
  unsignedOf(opcode, "opcode");
  if (arg !== null) bytesOf(arg, "arg");
  unsignedOf(count, "count");
  return check(
    raw.ioUringRegister(fd, opcode, arg, count),
    "io_uring_register",
    () => `register with the ring ${fd}`,
  );
}
