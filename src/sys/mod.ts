/**
 * System calls, one function each, in the argument order of C.
 *
 * Arguments are checked before the call: a wrong type throws `TypeError`, a number out of range
 * `RangeError`. A failed call throws `SyscallError` with `code`, `errno` and `syscall`. Without
 * foreign calls, every function throws `UnsupportedError`. A partial result is a result; `EINTR`
 * and `EAGAIN` are errors. No function retries, and only the call itself waits. {@linkcode raw} has
 * the same calls without checks; they return `-errno` instead of throwing.
 *
 * Unlike the rest of the package, these calls can end the process: if you touch a mapping of a
 * truncated file, or free memory that the runtime still uses in another thread.
 *
 * Node.js and Bun ignore SIGXFSZ; Deno does not. A call that writes or extends a file past
 * `RLIMIT_FSIZE` throws `EFBIG` on Node.js and Bun, and ends the process on Deno.
 *
 * Functions borrow every `FdLike`. The caller closes descriptors that they return.
 *
 * @module
 */

export { SyscallError, UnsupportedError } from "../errors.ts";
export type { SyscallErrorOptions, UnsupportedErrorOptions } from "../errors.ts";
export type { IpAddress, SocketAddress, UnixAddress } from "./net/address.ts";
export * from "./file/allocation.ts";
export { MAX_COUNT } from "./arguments.ts";
export * from "./file/cache.ts";
export * from "./file/copying.ts";
export * from "./flags/event.ts";
export * from "./events.ts";
export { dupCloexec, type FdLike, fdOf } from "./fd.ts";
export * from "./flags/file.ts";
export * from "./file/files.ts";
export * from "./inotify.ts";
export * from "./io_uring.ts";
export * from "./memory.ts";
export * from "./flags/memory.ts";
export * from "./net/messages.ts";
export {
  close,
  closesOnExec,
  open,
  openat,
  openat2,
  type OpenHow,
  setStatusFlags,
  statusFlags,
} from "./file/open.ts";
export * from "./pipes.ts";
export type { RegionRange } from "./raw/iovec.ts";
export * as raw from "./raw/mod.ts";
export { Region } from "./region.ts";
export * from "./flags/socket.ts";
export * from "./net/sockets.ts";
export { type Statx, statx, StatxFlag, StatxMask } from "./file/stat.ts";
export { FileType } from "./file/statx.ts";
