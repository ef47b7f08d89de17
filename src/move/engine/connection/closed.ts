/** The error for a closed connection. @module */

import { HANGUPS } from "../../../errno.ts";
import { errnoName, errnoNumber, SyscallError } from "../../../errors.ts";

/** What is known about a closed connection. */
interface Closed {
  /** Name of the call that detected it. */
  syscall: string;
  /** Payload bytes moved before. */
  bytesMoved?: number;
  /** The runtime's own error. */
  cause?: unknown;
  /** Code of the system's or the runtime's error. */
  code?: unknown;
}

/**
 * Reports a closed connection uniformly across runtimes.
 *
 * If the network ended the connection, the error keeps its code. Otherwise it is `EPIPE`: other
 * codes, such as `ECANCELED`, only mean that the owner closed it.
 */
export function connectionClosed(
  { syscall, bytesMoved, cause, code = (cause as { code?: unknown } | undefined)?.code }: Closed,
): SyscallError {
  return new SyscallError({
    syscall,
    errno: errnoNumber(code === "ECONNRESET" || code === "ETIMEDOUT" ? code : "EPIPE"),
    action: "send a file to a connection that has been closed",
    bytesMoved,
    ...(cause !== undefined && { cause }),
  });
}

/** The error of a failed call on what may be a connection; `result` is its `-errno`. */
export function writeFailure(
  result: number,
  syscall: string,
  action: string,
  bytesMoved: number,
): SyscallError {
  return HANGUPS.has(result)
    ? connectionClosed({ syscall, code: errnoName(-result), bytesMoved })
    : new SyscallError({ syscall, errno: -result, action, bytesMoved });
}
