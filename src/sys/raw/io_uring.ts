/** Raw calls of io_uring. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { sizeOf } from "../../bytes.ts";
import { syscall } from "./syscall.ts";

/** Size of `struct io_uring_params` in bytes. */
const URING_PARAMS = 120;

const { io_uring_setup, io_uring_enter, io_uring_register } = platform.syscalls;

/**
 * `io_uring_setup(entries, params)`: the ring's descriptor, or `-errno`; the kernel fills `params`.
 * Throws if `params` has fewer than 120 bytes, because the kernel would write past its end.
 */
export function ioUringSetup(entries: number, params: Uint8Array): number {
  const size = sizeOf(params);
  if (size < URING_PARAMS) {
    throw new RangeError(`Cannot use params of ${size} bytes: expected ${URING_PARAMS}`);
  }
  return syscall(io_uring_setup, entries, params);
}

/**
 * `io_uring_enter(ring, toSubmit, minComplete, flags, arg, arg.length)`: entries taken, or
 * `-errno`.
 */
export function ioUringEnter(
  ring: number,
  toSubmit: number,
  minComplete: number,
  flags: number,
  arg: Uint8Array | null = null,
): number {
  return syscall(
    io_uring_enter,
    ring,
    toSubmit,
    minComplete,
    flags,
    arg,
    arg === null ? 0 : sizeOf(arg),
  );
}

/** `io_uring_register(ring, opcode, arg, count)`. */
export function ioUringRegister(
  ring: number,
  opcode: number,
  arg: Uint8Array | null,
  count: number,
): number {
  return syscall(io_uring_register, ring, opcode, arg, count);
}
