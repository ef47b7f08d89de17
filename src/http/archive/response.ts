/** The responses to requests for archives. @module */

import { attachment } from "../rules/fields/disposition.ts";
import { planText, statusOfError } from "../rules/messages.ts";
import { PHRASES } from "../rules/phrases.ts";
import type { Plan } from "../rules/types.ts";
import type { ArchiveFormat } from "./types.ts";
import { ArchiveTooLarge, nameOfArchive } from "./walk.ts";

/** Why there is no archive. */
export interface ArchiveFault {
  readonly status: number;
  readonly reason: string;
}

const GET = { method: "GET", header: () => undefined };
const TYPES: Readonly<Record<ArchiveFormat, string>> = {
  tar: "application/x-tar",
  zip: "application/zip",
};

/** Header fields of an archive. */
export function archiveHeaders(
  names: readonly string[],
  format: ArchiveFormat,
  length: number,
): Record<string, string> {
  return {
    "Content-Type": TYPES[format],
    "Content-Length": String(length),
    "Content-Disposition": attachment(`${nameOfArchive(names)}.${format}`),
    "Cache-Control": "no-store",
    "Accept-Ranges": "none",
    "X-Content-Type-Options": "nosniff",
  };
}

/** Says why a folder could not be walked through. */
export function faultOfArchive(error: unknown): ArchiveFault {
  if (error instanceof ArchiveTooLarge) return { status: 403, reason: error.message };
  const status = statusOfError((error as { code?: unknown }).code);
  return { status, reason: String(error) };
}

/** Plans the response without an archive. Only the limits that the folder exceeds are told. */
export function planNoArchive({ reason, status }: ArchiveFault): Plan {
  const told = status === 403 && reason !== "" ? `: ${reason}` : "";
  return planText(GET, status, `${status} ${PHRASES.get(status) ?? ""}${told}\n`, {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
  });
}
