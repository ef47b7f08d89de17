/** Why two ends cannot be joined. @module */

import { errnoNumber, SyscallError, UnsupportedError } from "../../errors.ts";
import { sameFile } from "../../sys/file/statx.ts";
import type { End } from "../engine/endpoint.ts";
import type { TransferOptions } from "./options.ts";

/** A file copied onto itself would be read where it has just been written. */
export function refuseOverlap(job: {
  source: End;
  target: End;
  start: number;
  length: number;
  targetOffset: number | null;
}): void {
  const { source, target, start, length, targetOffset } = job;
  if (targetOffset === null || !sameFile(source.fd, target.fd)) return;
  if (start < targetOffset + length && targetOffset < start + length) {
    throw new SyscallError({
      syscall: "copy_file_range",
      errno: errnoNumber("EINVAL"),
      action: `transfer fd ${source.given} to fd ${target.given}: the ranges of one file overlap`,
    });
  }
}

/** Refuses an offset into what has none. */
export function positionless({ start = 0 }: TransferOptions, name: string): void {
  if (start !== 0) throw noPositions(name);
}

/** The error for an offset into what has none. */
export function noPositions(name: string): SyscallError {
  const action = `transfer from or to an offset: ${name} has no positions`;
  return new SyscallError({ syscall: "lseek", errno: errnoNumber("ESPIPE"), action });
}

/** The error for a method that these ends do not allow. */
export function unsuitable(method: string, source: number, target: number): SyscallError {
  const syscall = method === "range" ? "copy_file_range" : method === "auto" ? "splice" : method;
  const action = `transfer fd ${source} to fd ${target}`;
  return new SyscallError({ syscall, errno: errnoNumber("EINVAL"), action });
}

/** Refuses the methods that need a descriptor. */
export function onlyCopies({ method = "auto" }: TransferOptions, what: string): void {
  if (method === "auto" || method === "copy") return;
  throw new UnsupportedError({
    action: `use ${method} ${what}`,
    reason: 'it goes through the runtime; use method "auto" or "copy"',
  });
}
