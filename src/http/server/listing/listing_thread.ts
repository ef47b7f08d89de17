/**
 * The thread that reads folders and renders listings, so that serving threads do not block.
 *
 * @module
 */

import { errnoName, errnoNumber } from "../../../errors.ts";
import { fdIdentity } from "../../../sys/file/statx.ts";
import type { JobContext } from "../../../threads/job.ts";
import { FarEntry, FolderReader } from "../../files/folder.ts";
import { listingPage } from "../../listing/page.ts";
import type { ListingExtras } from "../../listing/extras.ts";
import { openRoot, type Root, type Symlinks } from "../../files/open_root.ts";
import type { Listing, ListingSort } from "../../rules/listing.ts";
import { renderListing, statusOfError } from "../../rules/messages.ts";
import type { Dotfiles } from "../../rules/target.ts";
import { serveFrames } from "../background/frame_server.ts";
import { restrictThread } from "../thread/sandbox.ts";

/** A folder that is listed. */
export interface ListedFolder {
  readonly root: string;
  readonly symlinks: Symlinks;
  /** Folder with compressed versions of its files; empty for none. */
  readonly versions: string;
  readonly dotfiles: Dotfiles;
  /** Decoded names of the path below which it is served. */
  readonly above: readonly string[];
  /** What pages offer beside their entries. */
  readonly extras: ListingExtras;
  readonly title: string;
  readonly appendHtml: string;
}

/** Input of the thread. */
export interface ListingJobData {
  readonly folders: readonly ListedFolder[];
  readonly sandbox: boolean;
}

/** A request for a page, as JSON. */
export interface ListingRequest {
  /** Index of the root. */
  readonly site: number;
  /** The open folder. Its owner keeps it open until the answer arrives. */
  readonly fd: number;
  /** Decoded names from the root down. */
  readonly names: readonly string[];
  readonly page: number;
  readonly sort: ListingSort;
  readonly json: boolean;
}

/** Bytes of the status before each page. */
export const STATUS_BYTES = 4;

/** In the place of a status: the threads of the mount whose key follows have to make the page. */
export const ELSEWHERE = 0;

const EIO = errnoNumber("EIO");
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Answers the requests from each of `job.fds`, one after the other. */
export function serveListings(job: JobContext, { folders, sandbox }: ListingJobData): void {
  const roots: Root[] = [];
  try {
    for (const { root, symlinks } of folders) {
      roots.push(openRoot(root, symlinks, { fixed: sandbox }));
    }
    if (sandbox) restrictThread({ roots: folders.map(({ root }) => root) });
    const readers = roots.map((root) => new FolderReader(root, true));
    serveFrames(job, { answer: (message) => answer(readers, folders, message) });
  } finally {
    for (const root of roots) root.close();
  }
}

function answer(
  readers: readonly FolderReader[],
  folders: readonly ListedFolder[],
  message: Uint8Array,
): Uint8Array {
  try {
    const request = JSON.parse(decoder.decode(message)) as ListingRequest;
    return pageFor(readers[request.site]!, folders[request.site]!, request);
  } catch (error) {
    if (error instanceof FarEntry) return withStatus(ELSEWHERE, error.key);
    return withStatus(statusOfError((error as { code?: unknown }).code), String(error));
  }
}

/** Renders a page: the status, then the page or the error. */
export function pageFor(
  reader: FolderReader,
  { above, appendHtml, dotfiles, extras, title }: ListedFolder,
  { fd, json, names, page, sort }: ListingRequest,
): Uint8Array {
  const times = fdIdentity(fd);
  if (typeof times === "number") {
    return withStatus(statusOfError(errnoName(-times || EIO)), `statx: ${errnoName(-times)}`);
  }
  const found = reader.readNow(fd, times, { dotfiles, names, page, sort });
  if (found === undefined) return withStatus(404, "");
  const listing = { ...found, names: [...above, ...names] };
  const html = (it: Listing) => listingPage(it, extras);
  return withStatus(200, renderListing(listing, json, { appendHtml, title }, html));
}

/** Puts the status in front of a page, or of what went wrong. */
export function withStatus(status: number, text: string): Uint8Array {
  const body = encoder.encode(text);
  const bytes = new Uint8Array(STATUS_BYTES + body.length);
  new DataView(bytes.buffer).setUint32(0, status, true);
  bytes.set(body, STATUS_BYTES);
  return bytes;
}
