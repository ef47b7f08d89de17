/** The operations of an {@linkcode IoQueue}, and what it promises. @module */

import type { Region } from "../../sys/region.ts";

/** What an {@linkcode IoQueue} can do. */
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
  /** Descriptor, which must stay open until the operation has ended. */
  readonly fd: number;
  /**
   * Memory of a read or a write. It must stay allocated until the operation has ended, even when this
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
   * Whether the file may be another machine's: the kernel then begins in a thread of its own, and not in
   * the call that submits.
   */
  readonly far?: boolean;
}

/** Runs operations, at most {@linkcode IN_FLIGHT} at a time; more of them wait for their turn. */
export interface IoQueue {
  /** What runs them. */
  readonly kind: "ring" | "threads";
  /**
   * Starts an operation.
   *
   * @param done Called once, with the count or `-errno`, when the memory and the descriptor are in use
   * no more; never before `start` has returned. It must not throw.
   * @returns A number for `cancel`.
   */
  start(request: IoRequest, done: (result: number) => void): number;
  /**
   * Asks for the end of an operation. One that has not begun ends with `-ECANCELED`; one that has, may
   * go on to its own end. Does nothing when it has ended.
   */
  cancel(ticket: number): void;
}
