/** Uploads without foreign calls: through the streams of the runtime. @module */

import type { FileHandle } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { builtin } from "../../../builtins.ts";
import { realFolder } from "../../files/portable_root.ts";
import { setHead } from "../../adapters/respond.ts";
import { belowTarget } from "../../rules/by_path/router.ts";
import { settingsOf } from "../../rules/settings.ts";
import type { Plan } from "../../rules/types.ts";
import {
  hiddenName,
  planRefusal,
  planStored,
  planUpload,
  type Refusal,
  refusalOf,
  tooLarge,
  type Upload,
} from "../../upload/rules.ts";
import { Counter } from "../control/config.ts";
import type { SiteConfig } from "../sites/options.ts";

/** Limits and counters. */
export interface PortableUploadsOptions {
  /** Longest silence of a client, in milliseconds. */
  readonly silenceMs: number;
  /** Counters of one thread. */
  readonly counters: Float64Array;
}

/** Bytes received by requests, for the log. */
const received = new WeakMap<ServerResponse, number>();

/** Bytes of the file that a client has uploaded; `undefined` for other requests. */
export function receivedOf(res: ServerResponse): number | undefined {
  return received.get(res);
}

/** Why an upload ends, with the code that `refusalOf` knows. */
class UploadError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

/** How long, and for how many bytes, a client whose upload is refused may go on. */
const LINGER_MS = 2000;
const LINGER_BYTES = 1024 * 1024;

/** The same rules as those of the server's own threads. */
export class PortableUploads {
  readonly #options: PortableUploadsOptions;

  constructor(options: PortableUploadsOptions) {
    this.#options = options;
  }

  /** Answers a PUT request for a folder that takes files; never rejects. */
  async serve(req: IncomingMessage, res: ServerResponse, site: SiteConfig): Promise<void> {
    const { counters } = this.#options;
    const { mount, settings } = site;
    const target = belowTarget(mount, req.url ?? "") ?? "";
    const request = { ...requestOf(req), target };
    const { dotfiles } = settingsOf(settings);
    const upload = planUpload(request, lengthOf(req), site.upload!, dotfiles, mount.path);
    if ("status" in upload) return await refuse(req, res, planRefusal(upload));
    received.set(res, 0);
    req.setTimeout(this.#options.silenceMs, () => req.destroy());
    const { socket } = req;
    const leave = () => void (req.complete || req.destroy());
    socket.on("end", leave);
    res.on("close", () => socket.off("end", leave));
    try {
      const replaced = await this.#store(req, res, upload, site);
      counters[Counter.UPLOADS]!++;
      send(res, planStored(upload, replaced));
    } catch (error) {
      const refusal = error instanceof UploadError
        ? error.refusal
        : refusalOf(String((error as { code?: unknown }).code), upload);
      if (!req.complete && req.destroyed) res.destroy();
      else await refuse(req, res, planRefusal(refusal));
    }
  }

  /** Stores the body; returns whether it has replaced a file. */
  async #store(
    req: IncomingMessage,
    res: ServerResponse,
    upload: Upload,
    { root, symlinks, upload: options }: SiteConfig,
  ): Promise<boolean> {
    const { maxBytes, overwrite: may } = options!;
    const { promises } = builtin("fs");
    const { join } = builtin("path");
    const folder = await realFolder(root, upload.folder, upload.name, symlinks);
    const path = join(folder, upload.name);
    const overwrite = may && !upload.fresh;
    const existed = await exists(path);
    if (existed && !overwrite) throw failure("EEXIST");
    if (!existed && upload.existing) throw failure("ENOENT");
    await checkSpace(folder, lengthOf(req));
    const hidden = join(folder, hiddenName());
    const file = await promises.open(hidden, "wx", 0o666);
    try {
      try {
        await this.#receive(req, res, file, maxBytes);
      } finally {
        await file.close();
      }
      if (overwrite) await promises.rename(hidden, path);
      else await nameNew(hidden, path);
      return existed;
    } catch (error) {
      await promises.rm(hidden, { force: true });
      throw error;
    }
  }

  async #receive(
    req: IncomingMessage,
    res: ServerResponse,
    file: FileHandle,
    maxBytes: number,
  ): Promise<void> {
    const { counters } = this.#options;
    let total = 0;
    // The connection stays for the answer if the body is not wanted any more.
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      total += chunk.length;
      if (total > maxBytes) throw new UploadError(tooLarge(maxBytes));
      for (let at = 0; at < chunk.length;) {
        at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
      }
      received.set(res, total);
      counters[Counter.RECEIVED]! += chunk.length;
    }
    const length = lengthOf(req);
    if (!req.complete || length >= 0 && total !== length) throw failure("ECONNRESET");
  }
}

/** Gives a file its name, unless there is one: link(2) replaces nothing. */
async function nameNew(hidden: string, path: string): Promise<void> {
  const { promises } = builtin("fs");
  try {
    await promises.link(hidden, path);
  } catch (error) {
    if ((error as { code?: unknown }).code === "EEXIST" || await exists(path)) {
      throw failure("EEXIST");
    }
    // The file system has no links, or the runtime may not make any.
    return await promises.rename(hidden, path);
  }
  await promises.rm(hidden, { force: true });
}

/** Whether a name is taken, be it by a link; throws `EISDIR` for a folder. */
async function exists(path: string): Promise<boolean> {
  try {
    const stats = await builtin("fs").promises.lstat(path);
    if (stats.isDirectory()) throw failure("EISDIR");
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return false;
    throw error;
  }
}

async function checkSpace(folder: string, length: number): Promise<void> {
  const { bavail, bsize } = await builtin("fs").promises.statfs(folder)
    .catch(() => ({ bavail: Infinity, bsize: 1 }));
  if (length > bavail * bsize) throw failure("ENOSPC");
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Length of the body; -1 if unknown. */
function lengthOf({ headers }: IncomingMessage): number {
  if (headers["transfer-encoding"] !== undefined) return -1;
  return Number(headers["content-length"] ?? 0);
}

function requestOf({ headers, method = "" }: IncomingMessage) {
  return { method, header: (name: string) => headers[name]?.toString() };
}

/**
 * Answers, then discards what arrives: the runtime closes the connection at the end of the response,
 * and a client that still sends would lose the answer to a reset.
 */
async function refuse(req: IncomingMessage, res: ServerResponse, plan: Plan): Promise<void> {
  if (req.complete || req.destroyed || lengthOf(req) === 0) return send(res, plan);
  setHead(res, plan);
  res.write(plan.parts[0]);
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LINGER_MS);
  let left = LINGER_BYTES;
  req.on("data", ({ length }: Uint8Array) => (left -= length) < 0 && resolve());
  for (const event of ["end", "close", "error"]) req.once(event, () => resolve());
  await promise;
  clearTimeout(timer);
  res.end();
}

function send(res: ServerResponse, plan: Plan): void {
  if (res.destroyed || res.headersSent) return;
  setHead(res, plan);
  res.end(plan.parts[0]);
}
