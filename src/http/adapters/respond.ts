/** Carries out a plan on a response of `node:http`. @module */

import type { ServerResponse } from "node:http";
import { cutOff, hasBody, hasNoLength } from "../../runtime/response.ts";
import { isClaimed } from "../../move/engine/connection/claim.ts";
import { PromisedLength } from "../../move/engine/connection/promised.ts";
import { sendParts } from "../../move/send_file/parts.ts";
import { available } from "../../sys/libc.ts";
import { preadResident } from "../../page_cache/resident.ts";
import type { OpenFile } from "../files/open_root.ts";
import type { FilePart, Plan } from "../rules/types.ts";

/**
 * Most bytes of a file that is read into memory and sent together with the head, in one call.
 * Larger files cost less by sendfile(2): see docs/decisions/07-small-files-in-memory.md.
 */
const SMALL = 64 * 1024;

/** Fields that keep the program's value if it has set them, as with `send`. */
const THEIRS: ReadonlySet<string> = new Set([
  "Cache-Control",
  "Content-Type",
  "Content-Disposition",
]);

/** Sets status and headers. */
export function setHead(res: ServerResponse, { status, headers }: Plan): void {
  if (status !== res.statusCode) clearPhrase(res);
  res.statusCode = status;
  for (const name in headers) {
    if (name === "Vary") res.setHeader(name, varyOf(res, headers[name]!));
    else if (name === "Content-Length" && hasNoLength(res)) res.removeHeader(name);
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

/** Removes the reason phrase of another status, which would contradict the new one. */
export function clearPhrase(res: ServerResponse): void {
  // HTTP/2 has none, and warns.
  if (!isHttp2(res) && res.statusMessage) res.statusMessage = "";
}

/** Whether a response is one of `node:http2`. */
function isHttp2(res: ServerResponse): boolean {
  return (res as { stream?: unknown }).stream !== undefined;
}

/**
 * Sets a head that the program has changed, or changes in `hook`.
 *
 * @param theirs Whether to keep the status that the program has set.
 */
export function setChangedHead(
  res: ServerResponse,
  plan: Plan,
  theirs: boolean,
  hook: (() => void) | undefined,
): void {
  // The length comes last: the status may forbid it, and a hook may end the response without a body.
  const { "Content-Length": _, ...headers } = plan.headers;
  const { statusCode } = res;
  const statusMessage = theirs && !isHttp2(res) ? res.statusMessage : "";
  setHead(res, { ...plan, headers });
  if (theirs) res.statusCode = statusCode;
  if (statusMessage) res.statusMessage = statusMessage;
  hook?.();
  if (!res.writableEnded) setLength(res, plan);
}

/**
 * Makes the head fit the body again after the program may have changed it.
 *
 * @throws {SyscallError} `EMSGSIZE` when a head that has been sent promises another length.
 */
function setLength(res: ServerResponse, { headers, length, parts }: Plan): void {
  const name = "Content-Length";
  if (res.headersSent) {
    if (parts.length > 0) new PromisedLength(res).expect(length);
  } else if (hasNoLength(res)) res.removeHeader(name);
  else if (headers[name] !== undefined) res.setHeader(name, headers[name]);
}

/** Why sluice leaves a response to what has begun to answer it; none if the client has left. */
export function busy(res: ServerResponse): TypeError | undefined {
  return res.destroyed ? undefined : answered("respond with a file");
}

function answered(action: string): TypeError {
  return new TypeError(`Cannot ${action}: something else is answering the request`);
}

/** Throws a `TypeError` when something has begun to answer. */
export function assertUnsent(res: ServerResponse, action: string): void {
  if (res.headersSent) {
    throw new TypeError(`Cannot ${action}: the headers of the response have been sent`);
  }
  if (isClaimed(res)) throw answered(action);
}

/** Whether nothing has begun to answer. */
export function isFree(res: ServerResponse): boolean {
  return !res.destroyed && !res.headersSent && !res.writableEnded && !isClaimed(res);
}

/** Adds to the Vary that others have set. */
function varyOf(res: ServerResponse, more: string): string {
  const before = res.getHeader("Vary");
  return before === undefined ? more : `${before}, ${more}`;
}

/**
 * Sends the body and ends the response; the head has been set.
 *
 * Rejects if the file or the connection fails. If `res.headersSent` is false, nothing has been
 * sent. Otherwise the connection has been closed, because the body is shorter than promised.
 */
export function sendBody(
  res: ServerResponse,
  { parts, length }: Plan,
  file: Pick<OpenFile, "fd" | "remote"> | undefined,
): Promise<unknown> | undefined {
  if (parts.length === 0 || !hasBody(res)) return void res.end();
  const [part] = parts;
  if (parts.length === 1) {
    const bytes = part instanceof Uint8Array ? part : readCached(file!.fd, part!);
    if (bytes !== undefined) return void res.end(bytes);
  }
  // sendFile() would announce the remaining length of a truncated file.
  const { fd, remote } = file!;
  return sendParts(res, { fd, remote }, parts, length);
}

/** Reads a small part if it is in the page cache. */
function readCached(fd: number, { start, length }: FilePart): Uint8Array | undefined {
  if (length > SMALL || !available()) return undefined;
  const bytes = new Uint8Array(length);
  // A short read or an error (EAGAIN, EOPNOTSUPP) falls back to sendParts, which waits or reports
  // it.
  return preadResident(fd, bytes, start) === length ? bytes : undefined;
}

const GONE: ReadonlySet<unknown> = new Set(["EPIPE", "ECONNRESET", "ETIMEDOUT", "ECANCELED"]);

/** Fields that describe the file. An error page must not have them. */
const OF_THE_FILE = [
  ...["Content-Type", "Content-Length", "Content-Range", "Content-Encoding", "Content-Disposition"],
  ...["ETag", "Last-Modified", "Cache-Control", "Accept-Ranges"],
];

/** Whether an error only means that the client has disconnected. */
export function isGone(error: unknown): boolean {
  return GONE.has((error as { code?: unknown }).code);
}

/** Ends a failed response; returns whether another response can be sent. */
export function giveUp(res: ServerResponse): boolean {
  if (!res.headersSent && !res.destroyed) {
    for (const name of OF_THE_FILE) res.removeHeader(name);
    return true;
  }
  if (!res.writableFinished) cutOff(res);
  return false;
}
