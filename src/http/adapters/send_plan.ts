/** `sendPlan`: carries out a plan of `planResponse` on a response of `node:http`. @module */

import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { describe } from "../../options.ts";
import { type FdLike, fdOf } from "../../sys/fd.ts";
import type { Plan } from "../rules/types.ts";
import { assertUnsent, giveUp, sendBody, setHead } from "./respond.ts";
import { isNodeResponse } from "./shapes.ts";

/**
 * Sends a planned response: head, ranges of the file and bytes between them, by sendfile(2) if
 * possible, and ends the response.
 *
 * Keeps header fields that you have set, except those that the plan determines. If the file is
 * truncated or cannot be read after the head was sent, the connection is cut. If
 * `res.headersSent` is false, you can send another response.
 *
 * @param res The response, whose head has not been sent.
 * @param plan The plan.
 * @param file The file that was planned for, or its descriptor; stays open.
 * @returns Once the kernel or the runtime has taken the last byte. Close the file then.
 *
 * @throws {TypeError} When an argument has the wrong type, or something else has begun to
 * answer the request.
 * @throws {TruncatedError} When the file was truncated.
 * @throws {SyscallError} `EPIPE`, `ECONNRESET` when the client has left; `EIO` when the disk fails.
 *
 * @example Answer a request, with any ranges
 * ```ts ignore
 * const file = await open("video.mp4");
 * const { size, mtimeNs } = await file.stat({ bigint: true });
 * const request = { method: req.method, header: (name) => req.headers[name] };
 * const plan = planResponse(request, { name: "video.mp4", size: Number(size), mtimeNs });
 * await sendPlan(res, plan, file).finally(() => file.close());
 * ```
 */
export async function sendPlan(
  res: ServerResponse | Http2ServerResponse,
  plan: Plan,
  file: FdLike,
): Promise<void> {
  if (!isNodeResponse(res)) {
    throw new TypeError(`Cannot send a plan: ${describe(res)} is not a response of node:http`);
  }
  if (!Array.isArray((plan as Partial<Plan> | undefined)?.parts)) {
    throw new TypeError(`Cannot send a plan: ${describe(plan)} is not a plan of planResponse()`);
  }
  const fd = fdOf(file, "file");
  assertUnsent(res, "send a plan");
  try {
    setHead(res, plan);
    await sendBody(res, plan, { fd });
  } catch (error) {
    giveUp(res);
    throw error;
  }
}
