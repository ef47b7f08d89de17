/** The error for a connection that is gone. @module */

import { HANGUPS } from "../../../errno.ts";
import { errnoName, errnoNumber, SyscallError } from "../../../errors.ts";

/** What is known of a connection that is gone. */
interface Closed {
  /** Name of the call that noticed. */
  syscall: string;
  /** Payload bytes moved before. */
  bytesMoved?: number;
  /** The runtime's own error. */
  cause?: unknown;
  /** What the system or the runtime calls it. */
  code?: unknown;
}

/**
 * Says that a connection has been closed, in one way for all that the runtimes say.
 *
 * The code remains where the network ended the connection. Else it is `EPIPE`: what else there is,
 * such as `ECANCELED`, tells only that the owner closed it.
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

/** The error for a call that has failed on what may be a connection; `result` is its `-errno`. */
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
