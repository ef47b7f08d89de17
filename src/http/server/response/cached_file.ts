/** Files that are kept, and what is made of them. @module */

import { concat } from "../../../bytes.ts";
import { EINTR } from "../../../errno.ts";
import { FileVersion } from "../../../sys/file/file_version.ts";
import { preadResident } from "../../../page_cache/prefetch.ts";
import type { OpenFile } from "../../files/open_root.ts";
import type { Part, Plan } from "../../rules/types.ts";
import type { Entry } from "./cache.ts";
import { isBytes, Reply } from "./response.ts";

/** The answer that a plan for a kept file makes: from memory where the file is there. */
export function replyTo(plan: Plan, { file, reply }: Entry): Reply {
  if (reply.parts.length > 0 || plan.parts.length === 0) return new Reply(plan, file, null);
  const body = reply.cell.bytes.subarray(reply.headBytes);
  const parts = plan.parts.map((part) =>
    isBytes(part) ? part : body.subarray(part.start, part.start + part.length)
  );
  return new Reply(plan, null, joined(parts));
}

/** All parts in one piece; they are bytes. */
export function joined(parts: readonly Part[]): Uint8Array {
  return concat(parts as readonly Uint8Array[]);
}

/** The whole file if that takes no look at the disk, and it is as long as it says. */
export function readResident(fd: number, size: number): Uint8Array | null {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const read = preadResident(fd, at === 0 ? bytes : bytes.subarray(at), at);
    if (read === EINTR) continue;
    if (read <= 0) return null;
    at += read;
  }
  return bytes;
}

/** Time after a change in which another one may leave the same times, in milliseconds. */
const RACY_MS = 20;

/**
 * Notes which version of a file an answer was made of; `null` where a later look could not tell.
 *
 * Kernels before 6.13 take ctime from a clock that ticks every 1 to 10 ms: a file that has just
 * changed may change again without a trace.
 */
export function versionOf(file: OpenFile): FileVersion | null {
  if (Math.abs(Date.now() - Number(file.ctimeNs / 1_000_000n)) < RACY_MS) return null;
  const version = FileVersion.of(file.fd);
  // What was described and what is there now may be two versions already.
  return version?.describes(file) ? version : null;
}
