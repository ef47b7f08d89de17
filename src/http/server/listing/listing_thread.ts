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
import { openRoot, type Symlinks } from "../../files/open_root.ts";
import { listingJson } from "../../rules/listing.ts";
import { statusOfError } from "../../rules/messages.ts";
import type { Dotfiles } from "../../rules/target.ts";
import { serveFrames } from "./frame_server.ts";
import { restrictThread } from "../thread/sandbox.ts";

/** Input of the thread. */
export interface ListingJobData {
  readonly root: string;
  readonly symlinks: Symlinks;
  readonly dotfiles: Dotfiles;
  readonly sandbox: boolean;
}

/** A request for a page, as JSON. */
export interface ListingRequest {
  /** The open folder. Its owner keeps it open until the answer arrives. */
  readonly fd: number;
  /** Decoded names from the root down. */
  readonly names: readonly string[];
  readonly page: number;
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
export function serveListings(job: JobContext, data: ListingJobData): void {
  const { dotfiles, root, sandbox, symlinks } = data;
  const folder = openRoot(root, symlinks, { fixed: sandbox });
  try {
    if (sandbox) restrictThread({ root });
    const reader = new FolderReader(folder, true);
    serveFrames(job, { answer: (message) => answer(reader, dotfiles, message) });
  } finally {
    folder.close();
  }
}

function answer(reader: FolderReader, dotfiles: Dotfiles, message: Uint8Array): Uint8Array {
  try {
    const request = JSON.parse(decoder.decode(message)) as ListingRequest;
    return pageFor(reader, dotfiles, request);
  } catch (error) {
    if (error instanceof FarEntry) return withStatus(ELSEWHERE, error.key);
    return withStatus(statusOfError((error as { code?: unknown }).code), String(error));
  }
}

/** Renders a page: the status, then the page or the error. */
export function pageFor(
  reader: FolderReader,
  dotfiles: Dotfiles,
  { fd, json, names, page }: ListingRequest,
): Uint8Array {
  const times = fdIdentity(fd);
  if (typeof times === "number") {
    return withStatus(statusOfError(errnoName(-times || EIO)), `statx: ${errnoName(-times)}`);
  }
  const listing = reader.readNow(fd, times, { dotfiles, names, page });
  if (listing === undefined) return withStatus(404, "");
  return withStatus(200, json ? listingJson(listing) : listingPage(listing));
}

/** Puts the status in front of a page, or of what went wrong. */
export function withStatus(status: number, text: string): Uint8Array {
  const body = encoder.encode(text);
  const bytes = new Uint8Array(STATUS_BYTES + body.length);
  new DataView(bytes.buffer).setUint32(0, status, true);
  bytes.set(body, STATUS_BYTES);
  return bytes;
}
