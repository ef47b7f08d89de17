/**
 * System calls, one function each, in the argument order of C.
 *
 * Arguments are examined before the call: `TypeError` for the wrong kind, `RangeError` for a number
 * outside its range. A failed call throws `SyscallError` with `code`, `errno` and `syscall`; a system
 * that cannot be called throws `UnsupportedError`. Partial results are results, and `EINTR` and
 * `EAGAIN` are errors: nothing is repeated and nothing waits but the call itself. {@linkcode raw}
 * has the same calls unexamined, with `-errno` in the place of an exception.
 *
 * Unlike the rest of the package, these calls can end the process: by touching a mapping of a file
 * that was truncated, or by giving memory back that the runtime is still using in another thread.
 *
 * Deno does not ignore SIGXFSZ, unlike Node.js and Bun: there every call that writes or grows a file ends
 * the process at `RLIMIT_FSIZE`, where the others throw `EFBIG`.
 *
 * Every `FdLike` is borrowed. A descriptor that is made is the caller's to close.
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
export { type FdLike, fdOf } from "./fd.ts";
export * from "./flags/file.ts";
export * from "./file/files.ts";
export * from "./io_uring.ts";
export * from "./memory.ts";
export * from "./flags/memory.ts";
export * from "./net/messages.ts";
export {
  close,
  closesOnExec,
  dupCloexec,
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
