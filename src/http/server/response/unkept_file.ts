/** Responses from files that are not kept: head and content are put together in the same memory. @module */

import { fillResident } from "../../../page_cache/resident.ts";
import type { Representation } from "../../rules/representation.ts";
import type { Plan } from "../../rules/types.ts";
import { HeadWriter } from "../parser/head_writer.ts";
import { encodeHead, isBytes, Reply } from "./response.ts";
import type { SharedFile } from "./shared_file.ts";

/** Largest file, in bytes, that is read and sent with its head: one call less. */
const SENT_AT_ONCE = 32 * 1024;

/** Encoded heads of files whose description is remembered. */
const heads = new WeakMap<Plan, Uint8Array>();
const writer = new HeadWriter();

/** Creates the response to a plan for a file that is closed after it. */
export function replyOnce(plan: Plan, file: SharedFile, { head, whole }: Representation): Reply {
  if (plan !== whole && plan !== head) return new Reply(plan, file, null);
  let bytes = heads.get(whole);
  if (bytes === undefined) heads.set(whole, bytes = encodeHead(whole));
  writer.begin();
  writer.add(bytes);
  const headBytes = writer.length;
  const read = plan === whole && addContent(whole, file);
  const { cell } = writer;
  const length = read ? writer.length : headBytes;
  return new Reply(whole, file, null, { written: { cell, headBytes, length, whole: read } });
}

/** Adds the content of a small file; false if it must be sent from the file. */
function addContent({ parts }: Plan, { fd, remote, size }: SharedFile): boolean {
  if (remote || size === 0 || size > SENT_AT_ONCE || parts.length !== 1 || isBytes(parts[0]!)) {
    return false;
  }
  const start = writer.reserve(size);
  return fillResident(fd, writer.cell, start, size);
}
