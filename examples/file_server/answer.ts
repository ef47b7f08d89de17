/** Finds the answer to a request: looks up the target below the root. @module */

import { constants, type Stats } from "node:fs";
import { type FileHandle, open, readdir, realpath, stat } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import { join, sep } from "node:path";
import { planResponse } from "../../src/http/mod.ts";
import { type Entry, listing } from "./listing.ts";
import { encodePath, isVisible, parseTarget, type Target } from "./target.ts";

/** A request, from any parser. */
export interface Request {
  readonly method: string;
  /** The request target as sent, such as `/a%20b?c`. */
  readonly target: string;
  /** Returns a header by its lower-case name; joins several of one name with commas. */
  header(name: string): string | undefined;
}

/** What to serve. */
export interface Site {
  /** The real path of the folder. */
  readonly root: string;
  /** How the bytes are sent; shown below listings. */
  readonly note: string;
}

/** An answer that has not been sent yet. */
export interface Answer {
  readonly status: number;
  /** Header fields. They include Content-Length, except for 304. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text, or a part of a file, whose handle the sender closes. */
  readonly body: string | FilePart;
}

/** A part of an open file. */
export interface FilePart {
  readonly handle: FileHandle;
  readonly start: number;
  readonly length: number;
}

/** One range at a time, so that a body is one part of a file. Browsers revalidate their copies. */
const PLAN = {
  maxRanges: 1,
  cacheControl: "no-cache",
  headers: { "X-Content-Type-Options": "nosniff" },
};

type Part = { readonly start: number; readonly length: number };

/** Most entries on a page. Each one costs a stat(2). */
const MOST_ENTRIES = 2000;

/** Finds the answer to a request. Never rejects. */
export async function findAnswer(site: Site, request: Request): Promise<Answer> {
  if (request.method === "GET") return await answerGet(site, request);
  if (request.method !== "HEAD") return message(405, { "Allow": "GET, HEAD" });
  const { body, ...head } = await answerGet(site, request);
  if (typeof body === "object") await body.handle.close();
  return { ...head, body: "" };
}

async function answerGet(site: Site, request: Request): Promise<Answer> {
  const target = parseTarget(request.target);
  if (typeof target === "number") return message(target);
  try {
    return await lookUp(site, request, target);
  } catch (error) {
    return message(statusOf(error));
  }
}

/** Returns the status for an error of opening. */
export function statusOf(error: unknown): number {
  switch ((error as { code?: unknown }).code) {
    case "ENOENT":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ELOOP":
      return 404;
    case "EACCES":
    case "EPERM":
      return 403;
    case "EMFILE":
    case "ENFILE":
      return 503;
    default:
      return 500;
  }
}

/** Builds an answer whose text names its status. */
export function message(status: number, headers: Record<string, string> = {}): Answer {
  return page(status, `${status} ${STATUS_CODES[status]}\n`, "text/plain", headers);
}

function page(
  status: number,
  body: string,
  type: string,
  headers: Record<string, string> = {},
): Answer {
  const length = String(Buffer.byteLength(body));
  const own = { "Content-Type": `${type}; charset=utf-8`, "Content-Length": length };
  return { status, headers: { ...own, ...headers }, body };
}

async function lookUp(site: Site, request: Request, target: Target): Promise<Answer> {
  const { names, folder, query } = target;
  const found = await find(site.root, names);
  if (found === null) return message(404);
  if (!found.stats.isDirectory()) return await openFile(folder ? null : found, request);
  if (!folder) return message(301, { "Location": `${encodePath(names)}/${query}` });
  const index = await find(site.root, [...names, "index.html"]);
  if (index?.stats.isFile()) return await openFile(index, request);
  const html = listing(names, await entriesOf(site.root, names), site.note);
  return page(200, html, "text/html", {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
  });
}

/** A file or folder below the root, with symbolic links followed. */
interface Found {
  readonly path: string;
  readonly stats: Stats;
}

/** Looks up `names`; returns `null` if nothing is there, or if it lies outside the root. */
async function find(root: string, names: readonly string[]): Promise<Found | null> {
  try {
    const path = await realpath(join(root, ...names));
    const inside = `${path}${sep}`.startsWith(root.endsWith(sep) ? root : `${root}${sep}`);
    return inside ? { path, stats: await stat(path) } : null;
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw error;
  }
}

async function openFile(found: Found | null, request: Request): Promise<Answer> {
  // Checks before it opens: opening a FIFO or a device may block or have side effects.
  if (found === null || !found.stats.isFile()) return message(404);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const handle = await open(found.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  let keep = false;
  try {
    // From the open handle: the path may lead to another file by now.
    const { size, mtimeNs } = await handle.stat({ bigint: true });
    const file = { name: found.path, size: Number(size), mtimeNs };
    const { status, headers, parts: [part] } = planResponse(request, file, PLAN);
    keep = part !== undefined;
    return { status, headers, body: keep ? { handle, ...part as Part } : "" };
  } finally {
    if (!keep) await handle.close();
  }
}

async function entriesOf(root: string, names: readonly string[]): Promise<Entry[]> {
  const visible = (await readdir(join(root, ...names))).filter(isVisible);
  const entries = await Promise.all(
    visible.slice(0, MOST_ENTRIES).map(async (name) => {
      const found = await find(root, [...names, name]).catch(() => null);
      if (found === null) return [];
      const { size, mtime } = found.stats;
      return [{ name, folder: found.stats.isDirectory(), size, modified: mtime }];
    }),
  );
  return entries.flat();
}
