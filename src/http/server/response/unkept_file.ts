/** Responses from files that are not kept: head and content are put together in the same memory. @module */

import { EINTR } from "../../../errno.ts";
import { preadResidentCell } from "../../../page_cache/resident.ts";
import type { Representation } from "../../rules/representation.ts";
import type { Plan } from "../../rules/types.ts";
import { HeadWriter } from "../parser/head_writer.ts";
import { encodeHead, isBytes, Reply, type WrittenReply } from "./response.ts";
import type { SharedFile } from "./shared_file.ts";

/** Largest file, in bytes, that is read and sent with its head: one call less. */
export const SENT_AT_ONCE: number = 32 * 1024;

/** Encoded heads of files whose description is remembered. */
const heads = new WeakMap<Plan, Uint8Array>();
const writer = new HeadWriter();

/** Creates the response to a plan for a file that is closed after it. */
export function replyOnce(plan: Plan, file: SharedFile, { head, whole }: Representation): Reply {
  if (plan !== whole && plan !== head) return new Reply(plan, file, null);
  let bytes = heads.get(whole);
  if (bytes === undefined) heads.set(whole, bytes = encodeHead(whole));
  const written = plan === whole ? writeWhole(bytes, whole, file) : null;
  return new Reply(whole, file, null, written === null ? { head: bytes } : { written });
}

/** Writes the response to a GET; `null` if the content must be sent from the file. */
function writeWhole(head: Uint8Array, { parts }: Plan, file: SharedFile): WrittenReply | null {
  const { fd, remote, size } = file;
  if (remote || size === 0 || size > SENT_AT_ONCE || parts.length !== 1 || isBytes(parts[0]!)) {
    return null;
  }
  writer.begin();
  writer.add(head);
  const start = writer.reserve(size);
  const { cell } = writer;
  for (let at = 0; at < size;) {
    const read = preadResidentCell(fd, cell, start + at, size - at, at);
    if (read === EINTR) continue;
    // Not in the page cache, or truncated.
    if (read <= 0) return null;
    at += read;
  }
  return { cell, headBytes: start, length: writer.length, whole: true };
}
