/** Keeps operations from mixing their bytes in one response. @module */

import type { ServerResponse } from "node:http";
import { errnoNumber, SyscallError } from "../../../errors.ts";

/** Responses whose body an operation is sending. */
const claimed = new WeakSet<ServerResponse>();

/** Whether an operation is sending the body of this response. */
export function isClaimed(res: ServerResponse): boolean {
  return claimed.has(res);
}

/**
 * Reserves a response for the body of one operation. A second body would break the Content-Length
 * of the first, and the client would take its bytes for the next response.
 *
 * @returns Gives the response back.
 *
 * @throws {SyscallError} `EBUSY` when another operation is sending to it.
 */
export function claimBody(res: ServerResponse): () => void {
  if (claimed.has(res)) {
    throw new SyscallError({
      syscall: "write",
      errno: errnoNumber("EBUSY"),
      action: "send to a response that another operation is sending to",
      bytesMoved: 0,
    });
  }
  claimed.add(res);
  return () => void claimed.delete(res);
}

/** Runs `task`, which sends the body of a response, and keeps others from sending meanwhile. */
export async function withBody<T>(res: ServerResponse, task: () => Promise<T>): Promise<T> {
  const release = claimBody(res);
  try {
    return await task();
  } finally {
    release();
  }
}
