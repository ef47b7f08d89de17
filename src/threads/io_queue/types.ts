/** The operations of an {@linkcode IoQueue}, and its contract. @module */

import type { Region } from "../../sys/region.ts";

/** Operations of an {@linkcode IoQueue}. */
export const IoOp = {
  /** pread(2) of `length` bytes at `offset` into the memory. */
  READ: 0,
  /** pwrite(2) of `length` bytes of the memory at `offset`. */
  WRITE: 1,
  /** fsync(2). */
  FSYNC: 2,
  /** fdatasync(2). */
  FDATASYNC: 3,
  /** ftruncate(2) to `offset` bytes. */
  TRUNCATE: 4,
} as const;

/** One operation to start. */
export interface IoRequest {
  /** One of {@linkcode IoOp}. */
  readonly op: number;
  /** Descriptor; keep it open until the operation has ended. */
  readonly fd: number;
  /**
   * Memory of a read or a write. It must stay allocated until the operation has ended, even if this
   * thread ends before.
   */
  readonly region: Region | null;
  /** First byte in the memory. */
  readonly at: number;
  /** Bytes, at most 0x7ffff000. */
  readonly length: number;
  /** First byte in the file. */
  readonly offset: number;
  /** Bits of `ReadFlag`. */
  readonly flags: number;
  /**
   * Whether another machine may hold the file: the kernel then starts in its own thread instead of
   * in the submitting call.
   */
  readonly far?: boolean;
}

/** Runs operations, at most {@linkcode IN_FLIGHT} at a time; others wait for their turn. */
export interface IoQueue {
  /** What runs the operations. */
  readonly kind: "ring" | "threads" | "runtime";
  /**
   * Starts an operation.
   *
   * @param done Called once, with the count or `-errno`, when memory and descriptor are no longer
   * in use; never before `start` has returned. It must not throw.
   * @returns A ticket for `cancel`.
   */
  start(request: IoRequest, done: (result: number) => void): number;
  /**
   * Requests cancellation. An operation that has not started ends with `-ECANCELED`; one that has
   * may run to its end. Does nothing after the end.
   */
  cancel(ticket: number): void;
}
