/**
 * The system calls by the kernel's own convention: a count, or `-errno`.
 *
 * Nothing is validated and nothing is thrown but `UnsupportedError`, so that a hot loop can compare
 * numbers: a thrown `EAGAIN` costs 0.5 to 4 microseconds. The calls on memory are the exception:
 * they take a `Region` and throw when a range is not inside it.
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
