/** Carries a plan out on a response of `node:http`. @module */

import type { ServerResponse } from "node:http";
import { cutOff } from "../../runtime/response.ts";
import { sendParts } from "../../move/send_file/parts.ts";
import { available } from "../../sys/libc.ts";
import { preadResident } from "../../page_cache/prefetch.ts";
import type { OpenFile } from "../files/open_root.ts";
import type { FilePart, Plan } from "../rules/types.ts";

/**
 * Bytes up to which a file is read into memory and leaves together with the head, in one call. From
 * there on sendfile(2) is cheaper: a request took 108 against 125 us of CPU time at 64 KiB, and 231
 * against 132 at 128 KiB (measured on Node.js).
 */
const SMALL = 64 * 1024;

/** Fields that a program may have set before, and that are its own then: as with `send`. */
const THEIRS: ReadonlySet<string> = new Set([
  "Cache-Control",
  "Content-Type",
  "Content-Disposition",
]);

/** Sets status and headers. */
export function setHead(res: ServerResponse, { status, headers }: Plan): void {
  res.statusCode = status;
  for (const name in headers) {
    if (name === "Vary") res.setHeader(name, varyOf(res, headers[name]!));
    else if (status >= 300 || !THEIRS.has(name) || !res.hasHeader(name)) {
      res.setHeader(name, headers[name]!);
    }
  }
  if (status === 304 || status === 204) {
    for (const name of ["Content-Type", "Content-Length", "Content-Encoding"]) {
      res.removeHeader(name);
    }
  }
}

/** What others have found a response to depend on remains so. */
function varyOf(res: ServerResponse, more: string): string {
  const before = res.getHeader("Vary");
  return before === undefined ? more : `${before}, ${more}`;
}

/**
 * Sends the body and ends the response; the head has been set.
 *
 * Rejects when the file or the connection fails. Nothing has been sent then if `res.headersSent` is
 * false; otherwise the connection has been closed, for the body is not what was promised.
 */
export function sendBody(
  res: ServerResponse,
  { parts, length }: Plan,
  file: OpenFile | undefined,
): Promise<unknown> | undefined {
  if (parts.length === 0) return void res.end();
  const [part] = parts;
  if (parts.length === 1) {
    const bytes = part instanceof Uint8Array ? part : readCached(file!.fd, part!);
    if (bytes !== undefined) return void res.end(bytes);
  }
  // Not sendFile(): it would announce what is left of a file that has become shorter.
  const { fd, remote } = file!;
  return sendParts(res, { fd, remote }, parts, length);
}

/** A small part that is in memory anyway. */
function readCached(fd: number, { start, length }: FilePart): Uint8Array | undefined {
  if (length > SMALL || !available()) return undefined;
  const bytes = new Uint8Array(length);
  // Fewer bytes, or an error such as EAGAIN or EOPNOTSUPP: by the long way, which waits or says why.
  return preadResident(fd, bytes, start) === length ? bytes : undefined;
}

const GONE: ReadonlySet<unknown> = new Set(["EPIPE", "ECONNRESET", "ETIMEDOUT", "ECANCELED"]);

/** What says something of the file, and nothing of the page that tells of an error. */
const OF_THE_FILE = [
  ...["Content-Type", "Content-Length", "Content-Range", "Content-Encoding", "Content-Disposition"],
  ...["ETag", "Last-Modified", "Cache-Control", "Accept-Ranges"],
];

/** Whether an error only says that the client has gone away. */
export function isGone(error: unknown): boolean {
  return GONE.has((error as { code?: unknown }).code);
}

/** Ends a response that has failed; returns whether another answer can be given. */
export function giveUp(res: ServerResponse): boolean {
  if (!res.headersSent && !res.destroyed) {
    for (const name of OF_THE_FILE) res.removeHeader(name);
    return true;
  }
  if (!res.writableFinished) cutOff(res);
  return false;
}
