/**
 * The system calls in the kernel's own convention: a count, or `-errno`.
 *
 * They validate nothing and throw only `UnsupportedError`, so a hot loop compares numbers instead
 * of catching exceptions. The calls on memory are the exception: they take a `Region` and throw
 * when a range is outside it.
 *
 * @module
 */

export * from "./cache.ts";
export * from "./events.ts";
export * from "./files.ts";
export * from "./inspection.ts";
export * from "./io_uring.ts";
export type { RegionRange } from "./iovec.ts";
export * from "./memory.ts";
export * from "./open.ts";
export * from "./pipes.ts";
export * from "./sockets.ts";
