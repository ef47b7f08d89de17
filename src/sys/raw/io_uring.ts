/** Raw calls of io_uring. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { syscall } from "./syscall.ts";

const { io_uring_setup, io_uring_enter, io_uring_register } = platform.syscalls;

/** `io_uring_setup(entries, params)`: the ring's descriptor, or `-errno`; the kernel fills `params`. */
export function ioUringSetup(entries: number, params: Uint8Array): number {
  return syscall(io_uring_setup, entries, params);
}

/** `io_uring_enter(ring, toSubmit, minComplete, flags, arg, arg.length)`: entries taken, or `-errno`. */
export function ioUringEnter(
  ring: number,
  toSubmit: number,
  minComplete: number,
  flags: number,
  arg: Uint8Array | null = null,
): number {
  return syscall(io_uring_enter, ring, toSubmit, minComplete, flags, arg, arg?.length ?? 0);
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
