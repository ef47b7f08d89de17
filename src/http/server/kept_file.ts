/** Files that are kept, and what is made of them. @module */

import { concat } from "../../bytes.ts";
import { EINTR } from "../../errno.ts";
import { fdIdentity } from "../../sys/statx.ts";
import { preadResident } from "../../wait/residency.ts";
import type { OpenFile } from "../open_root.ts";
import type { Part, Plan } from "../plan/types.ts";
import type { Entry } from "./cache.ts";
import { isBytes, Reply } from "./reply.ts";

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

/** What tells a version of a file from every other; empty when it cannot be told. */
export function identityOf({ fd, mtimeNs, size }: OpenFile): string {
  const identity = fdIdentity(fd);
  if (typeof identity === "number") return "";
  return `${identity.device} ${identity.inode} ${mtimeNs} ${size}`;
}

/** Adds bytes to the hash of a path. */
export function hashOf(hash: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash, 31) + bytes[i]! | 0;
  return hash;
}

/** Whether a part of `bytes` is `other`. */
export function equal(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) {
    if (bytes[start + i] !== other[i]) return false;
  }
  return true;
}
