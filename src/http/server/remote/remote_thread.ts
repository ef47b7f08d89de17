/**
 * The threads that wait for other machines and processes (NFS, SMB, FUSE), so that those that serve do
 * not. Each runs one call after the other.
 *
 * @module
 */

import { errnoNumber } from "../../../errors.ts";
import { statusOfError } from "../../rules/messages.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { copyStep } from "../../../move/engine/step/memory.ts";
import type { JobContext } from "../../../threads/job.ts";
import { FolderReader } from "../../files/folder.ts";
import { type OpenFile, openRoot, type Root } from "../../files/open_root.ts";
import { type FrameAnswerer, serveFrames } from "../background/frame_server.ts";
import { type ListingJobData, pageFor, withStatus } from "../listing/listing_thread.ts";
import { readFolders } from "../sites/options.ts";
import { restrictThread } from "../thread/sandbox.ts";
import { decode, encode, type RemoteFacts, type RemoteRequest } from "./messages.ts";

/** What such a thread is given. */
export interface RemoteJobData extends ListingJobData {
  readonly remote: true;
  /** How often the path of each root is looked up again, in milliseconds. */
  readonly refreshMs: number;
}

/** Answers the requests that come through each of `job.fds`. */
export function serveRemote(job: JobContext, data: RemoteJobData): void {
  const files = new RemoteFolder(data);
  try {
    if (data.sandbox) {
      files.openAll();
      restrictThread({ roots: readFolders(data.folders) });
    }
    serveFrames(job, files);
  } finally {
    files.close();
  }
}

class RemoteFolder implements FrameAnswerer {
  readonly #data: RemoteJobData;
  /** Descriptor of the last answer, if that opened a file; else -1. */
  #opened = -1;
  readonly #roots = new Map<number, Root>();
  readonly #readers = new Map<number, FolderReader>();

  constructor(data: RemoteJobData) {
    this.#data = data;
  }

  /** Opens all roots, before a sandbox forbids it. */
  openAll(): void {
    this.#data.folders.forEach((_, site) => this.#rootOf(site));
  }

  /** Opens a root, which may take its time, when it is first needed. */
  #rootOf(site: number): Root {
    const { folders, refreshMs, sandbox } = this.#data;
    let opened = this.#roots.get(site);
    if (opened === undefined) {
      const { root, symlinks, versions } = folders[site]!;
      opened = openRoot(root, symlinks, { fixed: sandbox, refreshMs, versions });
      this.#roots.set(site, opened);
    }
    return opened;
  }

  close(): void {
    for (const root of this.#roots.values()) root.close();
  }

  answer(message: Uint8Array): Uint8Array {
    const request = decode<RemoteRequest>(message);
    this.#opened = -1;
    switch (request.op) {
      case "open":
        return encode(this.#open(request.site, request.path));
      case "read":
        return encode(read(request));
      case "list":
        return this.#list(request);
      case "close":
        return encode(raw.close(request.fd));
    }
  }

  undelivered(): void {
    if (this.#opened >= 0) raw.close(this.#opened);
  }

  /** An unanswered close must still happen, or the descriptor stays open until the process ends. */
  unanswered(message: Uint8Array): void {
    const request = decode<RemoteRequest>(message);
    if (request.op === "close") raw.close(request.fd);
  }

  #open(site: number, path: string): RemoteFacts | number {
    try {
      const opened = this.#rootOf(site).openNow!(path);
      if (typeof opened === "number") return opened;
      this.#opened = opened.fd;
      return factsOf(opened);
    } catch (error) {
      return -errnoOf(error);
    }
  }

  #list(request: RemoteRequest & { op: "list" }): Uint8Array {
    const { site } = request;
    try {
      let reader = this.#readers.get(site);
      if (reader === undefined) {
        this.#readers.set(site, reader = new FolderReader(this.#rootOf(site)));
      }
      return pageFor(reader, this.#data.folders[site]!, request);
    } catch (error) {
      return withStatus(statusOfError((error as { code?: unknown }).code), String(error));
    }
  }
}

function factsOf({ ctimeNs, fd, folder, made = false, mtimeNs, remote, size }: OpenFile) {
  return {
    fd,
    folder,
    size,
    mtimeNs: String(mtimeNs),
    ctimeNs: String(ctimeNs),
    made,
    remote,
  } satisfies RemoteFacts;
}

/** Pages that are on their way to a client must not change: they leave the memory file first. */
function read({ count, fd, into, offset }: RemoteRequest & { op: "read" }): number {
  const emptied = raw.ftruncate(into, 0);
  if (emptied < 0) return emptied;
  let done = 0;
  while (done < count) {
    const copied = copyStep(fd, offset + done, into, done, count - done, 0);
    if (copied <= 0) return done > 0 ? done : copied;
    done += copied;
  }
  return done;
}

function errnoOf(error: unknown): number {
  return errnoNumber(String((error as { code?: unknown }).code)) || errnoNumber("EIO");
}
