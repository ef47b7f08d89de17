/** Error classes of sluice; it also throws `TypeError` and `RangeError`. @module */

import { platform } from "../ffi/platform/mod.ts";

/** Fields of a {@linkcode SyscallError}. */
export interface SyscallErrorOptions extends ErrorOptions {
  /** Name of the call, such as `"sendfile"`. */
  syscall: string;
  /** Positive errno number, as the kernel reports it. */
  errno: number;
  /** The attempted action, worded to follow "Cannot", such as `"map fd 7"`. */
  action: string;
  /** Bytes that were moved before the call failed. @default {0} */
  bytesMoved?: number | undefined;
}

/**
 * A system call failed.
 *
 * Has the fields of a Node.js system error, so a test such as `error.code === "EPIPE"` works on
 * every runtime.
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
  /** Bytes that were moved before the call failed; 0 if the call moves none. */
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

  /**
   * HTTP status by which Express, Koa, Fastify and others answer if a file could not be opened: 404
   * if it is missing, 403 without permission, 503 without free descriptors. `undefined` for other
   * failures, which they answer with 500.
   */
  get status(): number | undefined {
    return this.syscall.startsWith("open") || this.code === "EISDIR"
      ? statusOfOpening(this.code)
      : undefined;
  }

  /** Always false: the message may name a path, and must not reach the client. */
  get expose(): boolean {
    return false;
  }
}

/** Returns the HTTP status for a file that could not be opened; `undefined` for a server error. */
export function statusOfOpening(code: unknown): 404 | 403 | 503 | undefined {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ELOOP": // a link that is not followed, or a circle of links
    case "EXDEV": // a link that leads out of the root: answered as if it did not exist
    case "ENXIO": // a socket, or a missing device
    case "EISDIR":
    case "EINVAL":
      return 404;
    case "EACCES":
    case "EPERM":
      return 403;
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return 503;
    default:
      return undefined;
  }
}

/** Fields of an {@linkcode UnsupportedError}. */
export interface UnsupportedErrorOptions extends ErrorOptions {
  /** The attempted action, worded to follow "Cannot", such as `"open a pipe"`. */
  action: string;
  /** Why it cannot be done here, and how to change that. */
  reason: string;
}

/**
 * This system, this runtime or its permissions do not allow the operation.
 *
 * The message names the cause and the remedy. `cause` is the runtime's own error, if there is one.
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

/** Fields of a {@linkcode TruncatedError}. */
export interface TruncatedErrorOptions extends ErrorOptions {
  /** The attempted action, worded to follow "Cannot", such as `"send fd 7"`. */
  action: string;
  /** Bytes that were moved. */
  bytesMoved: number;
  /** Bytes that should have been moved. */
  bytesExpected: number;
}

/** A file was truncated while it was in use, so fewer bytes were moved than promised. */
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

/** Fields of a {@linkcode SlowTargetError}. */
export interface SlowTargetErrorOptions extends ErrorOptions {
  /** Bytes that the target had taken. */
  bytesMoved: number;
  /** Longest time that the others wait for a slow target, in milliseconds. */
  slowMs: number;
}

/** A broadcast disconnected this target because it held up the others. */
export class SlowTargetError extends Error {
  /** Always `"SlowTargetError"`. */
  override readonly name: string = "SlowTargetError";
  /** Always `"ERR_SLUICE_SLOW_TARGET"`. */
  readonly code: string = "ERR_SLUICE_SLOW_TARGET";
  /** Bytes that the target had taken. */
  readonly bytesMoved: number;

  /** Builds the error; the message gives both numbers. */
  constructor({ bytesMoved, slowMs, ...rest }: SlowTargetErrorOptions) {
    super(
      `Cannot continue with a target that holds up the others: it took ${bytesMoved} bytes, then ` +
        `made the others wait for more than ${slowMs} ms`,
      rest,
    );
    this.bytesMoved = bytesMoved;
  }
}

/** Returns the name of a positive errno, or `"E?<number>"` if the system does not name it. */
export function errnoName(errno: number): string {
  return platform.errnoNames[errno] ?? `E?${errno}`;
}

/** Returns the number of an errno on this system, or 0 if the system lacks it. */
export function errnoNumber(name: string): number {
  return Math.max(0, platform.errnoNames.indexOf(name));
}

/** The `signal` of a transfer stopped it. */
export class AbortError extends Error {
  /** Always `"AbortError"`, as everywhere in the runtimes. */
  override readonly name: string = "AbortError";
  /** Always `"ABORT_ERR"`. */
  readonly code: string = "ABORT_ERR";
  /** Bytes that were moved before the abort. */
  readonly bytesMoved: number;

  /** Builds the error; `cause` is the signal's reason. */
  constructor(bytesMoved: number, cause: unknown) {
    super(`The transfer was aborted after ${bytesMoved} bytes`, { cause });
    this.bytesMoved = bytesMoved;
  }
}

/**
 * Turns an error of the runtime into a {@linkcode SyscallError}, with the original as its cause.
 */
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
