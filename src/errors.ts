/** The errors that sluice throws beside `TypeError` and `RangeError`. @module */

import { platform } from "../ffi/platform/mod.ts";

/** What went wrong in a system call. */
export interface SyscallErrorOptions extends ErrorOptions {
  /** Name of the call, such as `"sendfile"`. */
  syscall: string;
  /** Positive errno number, as the kernel reports it. */
  errno: number;
  /** The attempted action, to follow "Cannot", such as `"map fd 7"`. */
  action: string;
  /** Bytes that had been moved before the call failed, where bytes were being moved. */
  bytesMoved?: number | undefined;
}

/**
 * A system call that failed.
 *
 * Has the fields of a Node.js system error, so code that already tests `error.code === "EPIPE"`
 * works unchanged on every runtime.
 */
export class SyscallError extends Error {
  /** Always `"SyscallError"`. */
  override readonly name: string = "SyscallError";
  /** Symbolic code, such as `"EBADF"`. */
  readonly code: string;
  /** Errno number, negative as in libuv. */
  readonly errno: number;
  /** Name of the call, such as `"sendfile"`. */
  readonly syscall: string;
  /** Bytes that had been moved before the call failed; 0 where the call moves none. */
  readonly bytesMoved: number;

  /** Builds the error; the message names the code, the action and the call. */
  constructor({ syscall, errno, action, bytesMoved = 0, ...rest }: SyscallErrorOptions) {
    const code = errnoName(errno);
    super(`${code}: Cannot ${action}: ${syscall}(2) failed`, rest);
    this.code = code;
    this.errno = -errno;
    this.syscall = syscall;
    this.bytesMoved = bytesMoved;
  }
}

/** What cannot be done here, and what would change that. */
export interface UnsupportedErrorOptions extends ErrorOptions {
  /** The attempted action, to follow "Cannot", such as `"open a pipe"`. */
  action: string;
  /** Why not, and what to do about it. */
  reason: string;
}

/**
 * An operation that this system, this runtime or its permissions do not allow.
 *
 * The message names the cause and the remedy; `cause` is the runtime's own error where there is one.
 */
export class UnsupportedError extends Error {
  /** Always `"UnsupportedError"`. */
  override readonly name: string = "UnsupportedError";
  /** Always `"ERR_SLUICE_UNSUPPORTED"`. */
  readonly code: string = "ERR_SLUICE_UNSUPPORTED";

  /** Builds the error from what was attempted and why it cannot be done. */
  constructor({ action, reason, ...rest }: UnsupportedErrorOptions) {
    super(`Cannot ${action}: ${reason}`, rest);
  }
}

/** What was promised of a file, and what it held. */
export interface TruncatedErrorOptions extends ErrorOptions {
  /** The attempted action, to follow "Cannot", such as `"send fd 7"`. */
  action: string;
  /** Bytes that were moved. */
  bytesMoved: number;
  /** Bytes that should have been moved. */
  bytesExpected: number;
}

/** A file that became shorter than what was promised of it, while it was being used. */
export class TruncatedError extends Error {
  /** Always `"TruncatedError"`. */
  override readonly name: string = "TruncatedError";
  /** Always `"ERR_SLUICE_TRUNCATED"`. */
  readonly code: string = "ERR_SLUICE_TRUNCATED";
  /** Bytes that were moved. */
  readonly bytesMoved: number;
  /** Bytes that should have been moved. */
  readonly bytesExpected: number;

  /** Builds the error; the message gives both counts. */
  constructor({ action, bytesMoved, bytesExpected, ...rest }: TruncatedErrorOptions) {
    super(
      `Cannot ${action}: the file was truncated after ${bytesMoved} of ${bytesExpected} bytes`,
      rest,
    );
    this.bytesMoved = bytesMoved;
    this.bytesExpected = bytesExpected;
  }
}

/** What is known of a target that did not keep up. */
export interface SlowTargetErrorOptions extends ErrorOptions {
  /** Bytes that it had taken. */
  bytesMoved: number;
  /** How long the others had waited for it at a time, in milliseconds. */
  slowMs: number;
}

/** A target of a broadcast that was disconnected because it held up the others. */
export class SlowTargetError extends Error {
  /** Always `"SlowTargetError"`. */
  override readonly name: string = "SlowTargetError";
  /** Always `"ERR_SLUICE_SLOW_TARGET"`. */
  readonly code: string = "ERR_SLUICE_SLOW_TARGET";
  /** Bytes that it had taken. */
  readonly bytesMoved: number;

  /** Builds the error; the message gives both numbers. */
  constructor({ bytesMoved, slowMs, ...rest }: SlowTargetErrorOptions) {
    super(
      `Cannot go on with a target that holds up the others: ${bytesMoved} bytes taken, and more ` +
        `than ${slowMs} ms waited for`,
      rest,
    );
    this.bytesMoved = bytesMoved;
  }
}

/** Name of a positive errno, or `"E?<number>"` for a number that the system does not name. */
export function errnoName(errno: number): string {
  return platform.errnoNames[errno] ?? `E?${errno}`;
}

/** Number of an errno on this system; 0 for a name that it lacks. */
export function errnoNumber(name: string): number {
  return Math.max(0, platform.errnoNames.indexOf(name));
}

/** A transfer that its own `signal` stopped. */
export class AbortError extends Error {
  /** Always `"AbortError"`, as everywhere in the runtimes. */
  override readonly name: string = "AbortError";
  /** Always `"ABORT_ERR"`. */
  readonly code: string = "ABORT_ERR";
  /** Bytes that had been moved. */
  readonly bytesMoved: number;

  /** Builds the error; `cause` is the signal's reason. */
  constructor(bytesMoved: number, cause: unknown) {
    super(`The transfer was aborted after ${bytesMoved} bytes`, { cause });
    this.bytesMoved = bytesMoved;
  }
}

/** Gives an error of the runtime the shape of ours; the original is its cause. */
export function asSyscallError(
  error: Error,
  syscall: string,
  action: string,
  bytesMoved?: number,
): Error {
  const errno = errnoNumber(String((error as { code?: unknown }).code));
  if (errno === 0) return error;
  return new SyscallError({ syscall, errno, action, bytesMoved, cause: error });
}
