/**
 * The thread that makes archives of folders: it walks through them, opens their files and computes CRCs.
 * The files themselves are sent by the threads that serve.
 *
 * @module
 */

import { factsOf, fdIdentity } from "../../../sys/file/statx.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { JobContext } from "../../../threads/job.ts";
import { FolderReader } from "../../files/folder.ts";
import { openRoot, type Root } from "../../files/open_root.ts";
import type { ArchiveConfig } from "../../archive/types.ts";
import { type WalkedFolder, walkFolderNow } from "../../archive/walk.ts";
import { faultOfArchive } from "../../archive/response.ts";
import type { ListedFolder } from "../listing/listing_thread.ts";
import { type FrameAnswerer, serveFrames } from "../background/frame_server.ts";
import { restrictThread } from "../thread/sandbox.ts";
import { ArchiveReader } from "./archive_reader.ts";
import {
  type ArchiveBegun,
  type ArchiveRequest,
  decodeJson,
  encodeJson,
  encodePiece,
  type Piece,
} from "./messages.ts";

/** Input of the thread. */
export interface ArchiveJobData {
  /** The folders of the server; only those with `archives` are asked for. */
  readonly packed: readonly (ListedFolder & { readonly archives: ArchiveConfig | null })[];
  readonly sandbox: boolean;
}

/** Answers the requests from each of `job.fds`, one after the other. */
export function serveArchives(job: JobContext, data: ArchiveJobData): void {
  const archives = new Archives(data);
  try {
    if (data.sandbox) {
      archives.openAll();
      restrictThread({ roots: data.packed.map(({ root }) => root) });
    }
    serveFrames(job, archives);
  } finally {
    archives.close();
  }
}

class Archives implements FrameAnswerer {
  readonly #data: ArchiveJobData;
  readonly #roots = new Map<number, Root>();
  readonly #open = new Map<number, ArchiveReader>();
  #lastId = 0;
  /** Descriptor of the last answer, if that has one; else -1. */
  #opened = -1;

  constructor(data: ArchiveJobData) {
    this.#data = data;
  }

  openAll(): void {
    this.#data.packed.forEach((_, site) => this.#root(site));
  }

  close(): void {
    for (const reader of this.#open.values()) reader.close();
    for (const root of this.#roots.values()) root.close();
  }

  answer(message: Uint8Array): Uint8Array {
    this.#opened = -1;
    const request = decodeJson<ArchiveRequest>(message);
    if (request.op === "begin") return encodeJson(this.#begin(request));
    const piece = request.op === "step" ? this.#step(request.id) : FAILED;
    if (piece.kind === "file") this.#opened = piece.fd;
    if (piece.kind === "failed" || piece.kind === "end") this.#forget(request.id);
    return encodePiece(piece);
  }

  undelivered(): void {
    if (this.#opened >= 0) raw.close(this.#opened);
  }

  #root(site: number): Root {
    const known = this.#roots.get(site);
    if (known !== undefined) return known;
    const { root, symlinks } = this.#data.packed[site]!;
    const opened = openRoot(root, symlinks, { fixed: this.#data.sandbox });
    this.#roots.set(site, opened);
    return opened;
  }

  #begin({ format, names, site }: ArchiveRequest & { op: "begin" }): ArchiveBegun {
    try {
      const root = this.#root(site);
      const { archives, dotfiles } = this.#data.packed[site]!;
      const reader = new FolderReader(root);
      const open = (names: readonly string[]) => openFolder(root, reader, names, dotfiles);
      const entries = walkFolderNow({ names, limits: archives!, open });
      if (entries.length === 0) return { status: 404, reason: "" };
      const archive = new ArchiveReader(root, entries, format);
      const id = this.#lastId = (this.#lastId + 1) >>> 0;
      this.#open.set(id, archive);
      return { id, length: archive.length };
    } catch (error) {
      return faultOfArchive(error);
    }
  }

  #step(id: number): Piece {
    try {
      return this.#open.get(id)?.step() ?? FAILED;
    } catch {
      return FAILED;
    }
  }

  #forget(id: number): void {
    this.#open.get(id)?.close();
    this.#open.delete(id);
  }
}

const FAILED: Piece = { kind: "failed", bytes: new Uint8Array(0) };

function openFolder(
  root: Root,
  reader: FolderReader,
  names: readonly string[],
  dotfiles: ListedFolder["dotfiles"],
): WalkedFolder | undefined {
  const folder = root.openNow!(names.length === 0 ? "." : names.join("/"));
  if (typeof folder === "number") return undefined;
  const times = fdIdentity(folder.fd);
  const facts = factsOf(folder.fd);
  if (!folder.folder || typeof times === "number" || typeof facts === "number") {
    folder.close();
    return undefined;
  }
  return {
    identity: `${facts.dev} ${facts.ino}`,
    modifiedMs: Number(folder.mtimeNs / 1_000_000n),
    page: (page) => reader.readNow(folder.fd, times, { dotfiles, names, page }),
    close: () => folder.close(),
  };
}
