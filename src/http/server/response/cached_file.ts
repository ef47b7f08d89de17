/** Creates cache entries and responses from them. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { concat } from "../../../bytes.ts";
import { FileVersion } from "../../../sys/file/file_version.ts";
import { fillResident } from "../../../page_cache/resident.ts";
import type { OpenFile } from "../../files/open_root.ts";
import type { Part, Plan } from "../../rules/types.ts";
import type { Entry } from "./cache.ts";
import { isBytes, Reply } from "./response.ts";

/** Creates the response to a plan for a cached file; from memory if the content is cached. */
export function replyTo(plan: Plan, { file, reply }: Entry): Reply {
  if (reply.parts.length > 0 || plan.parts.length === 0) return new Reply(plan, file, null);
  const body = reply.cell.bytes.subarray(reply.headBytes);
  const parts = plan.parts.map((part) =>
    isBytes(part) ? part : body.subarray(part.start, part.start + part.length)
  );
  return new Reply(plan, null, joined(parts));
}

/** Returns the body of a plan for a whole file, for which the file was read. */
export function whole({ parts }: Plan, file: Uint8Array | null): Uint8Array | null {
  if (file === null || parts.every((part) => !isBytes(part))) return file;
  return joined(parts.map((part) => isBytes(part) ? part : file));
}

/** Joins all parts, which must be bytes. */
export function joined(parts: readonly Part[]): Uint8Array {
  return concat(parts as readonly Uint8Array[]);
}

/** Reads the whole file if it is in the page cache and has the expected length. */
export function readResident(fd: number, size: number): Uint8Array | null {
  const cell = new Cell(size);
  return fillResident(fd, cell, 0, size) ? cell.bytes : null;
}

/** Milliseconds after a change within which another change may leave the same times. */
const RACY_MS = 20;

/**
 * Records the version of the file in a response; `null` if a later check would be unreliable.
 *
 * Kernels before 6.13 take ctime from a clock that ticks every 1 to 10 ms: a file that has just
 * changed may change again with the same ctime.
 */
export function versionOf(file: OpenFile): FileVersion | null {
  if (Math.abs(Date.now() - Number(file.ctimeNs / 1_000_000n)) < RACY_MS) return null;
  const version = FileVersion.of(file.fd);
  // The file may have changed since it was described.
  return version?.describes(file) ? version : null;
}
