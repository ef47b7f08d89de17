/** Archives without foreign calls: by the runtime's own files and streams. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import { builtin } from "../../../builtins.ts";
import { streamSink } from "../../../move/engine/connection/sink.ts";
import { cutOff } from "../../../runtime/response.ts";
import { giveUp, sendBody, setHead } from "../../adapters/respond.ts";
import {
  type ArchiveFault,
  archiveHeaders,
  faultOfArchive,
  planNoArchive,
} from "../../archive/response.ts";
import { archiveBytes, ArchiveChanged } from "../../archive/stream.ts";
import { lengthOfArchive } from "../../archive/formats.ts";
import { type ArchiveEntry, type ArchiveFormat, archiveFormat } from "../../archive/types.ts";
import { type WalkedFolder, walkFolderLater } from "../../archive/walk.ts";
import { FolderReader } from "../../files/folder.ts";
import type { LookupRequest } from "../../files/look_up.ts";
import type { StaticRoot } from "../../files/static_root.ts";
import { splitTarget } from "../../rules/target.ts";
import type { SiteConfig } from "../sites/options.ts";

const truncated = new WeakSet<ServerResponse>();

/** Whether an archive has ended before its length, because a file has changed. */
export function isTruncated(res: ServerResponse): boolean {
  return truncated.has(res);
}

/** The archives of one folder that is served. */
export class PortableArchives {
  readonly #config: SiteConfig;
  readonly #files: StaticRoot;
  readonly #reader: FolderReader;

  constructor(config: SiteConfig, files: StaticRoot) {
    this.#config = config;
    this.#files = files;
    this.#reader = new FolderReader(files.root);
  }

  /**
   * Sends a folder, if the request is for the archive of one; else calls `otherwise`. Never throws.
   */
  serve(req: IncomingMessage, res: ServerResponse, otherwise: () => void): void {
    const format = formatOf(req);
    if (format === undefined) return otherwise();
    this.#serve(req, res, format).then((served) => served || otherwise(), (error) => {
      if (!giveUp(res)) return;
      answer(res, faultOfArchive(error));
    });
  }

  async #serve(
    req: IncomingMessage,
    res: ServerResponse,
    format: ArchiveFormat,
  ): Promise<boolean> {
    const names = await this.#folder(req);
    if (names === undefined) return false;
    const left = new AbortController();
    res.once("close", () => left.abort());
    let entries: readonly ArchiveEntry[];
    try {
      entries = await walkFolderLater({
        ...{ names, limits: this.#config.archives!, signal: left.signal },
        open: (names) => this.#open(names),
      });
    } catch (error) {
      if (!left.signal.aborted) answer(res, faultOfArchive(error));
      return true;
    }
    if (res.destroyed) return true;
    if (entries.length === 0) return answer(res, { status: 404, reason: "" });
    const length = lengthOfArchive(entries, format);
    setHead(res, {
      status: 200,
      headers: archiveHeaders(names, format, length),
      parts: [],
      length,
    });
    if (req.method === "HEAD") res.end();
    else await this.#send(res, entries, format);
    return true;
  }

  async #send(
    res: ServerResponse,
    entries: readonly ArchiveEntry[],
    format: ArchiveFormat,
  ): Promise<void> {
    const sink = streamSink(res);
    try {
      for await (const piece of archiveBytes(this.#files.root, entries, format)) {
        await sink.write(piece);
      }
      // After the last write: over TLS, Deno would wait for ever for one that is not complete.
      res.end();
    } catch (error) {
      if (error instanceof ArchiveChanged) truncated.add(res);
      cutOff(res);
    }
  }

  /** Names of the folder that a request is for; `undefined` if it has no listing. */
  async #folder(req: IncomingMessage): Promise<readonly string[] | undefined> {
    const { headers, method = "", url = "" } = req;
    const target = this.#files.below(url);
    if (target === undefined) return undefined;
    const header = (name: string) => headers[name]?.toString();
    const request: LookupRequest = { method, target, original: url, header };
    return await this.#files.findListed(request);
  }

  async #open(names: readonly string[]): Promise<WalkedFolder | undefined> {
    const folder = await this.#files.root.open(names.length === 0 ? "." : names.join("/"));
    if (typeof folder === "number") return undefined;
    if (!folder.folder) return void folder.close();
    const { dotfiles } = this.#files.settings;
    return {
      identity: await identityOf(folder.fd),
      modifiedMs: Number(folder.mtimeNs / 1_000_000n),
      page: (page) => this.#reader.read(folder, { dotfiles, names, page }),
      close: () => folder.close(),
    };
  }
}

/** Format of the archive that a request asks for. */
function formatOf({ method, url = "" }: IncomingMessage): ArchiveFormat | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  const parts = splitTarget(url);
  return parts === 400 ? undefined : archiveFormat(parts.query);
}

function answer(res: ServerResponse, fault: ArchiveFault): true {
  if (res.destroyed || res.headersSent) return true;
  const plan = planNoArchive(fault);
  setHead(res, plan);
  sendBody(res, plan, undefined);
  return true;
}

function identityOf(fd: number): Promise<string> {
  return new Promise((resolve, reject) => {
    builtin("fs").fstat(fd, { bigint: true }, (error, stats) => {
      if (error) reject(error);
      else resolve(`${stats.dev} ${stats.ino}`);
    });
  });
}
