/**
 * The thread that stores uploads: it waits for the disk, so that serving threads do not. In a
 * sandbox, it is the only thread that may write below the folder.
 *
 * @module
 */

import { platform } from "../../../../ffi/platform/mod.ts";
import { EBADF, ENOSYS, EPERM } from "../../../errno.ts";
import { ResolveFlag } from "../../../sys/flags/file.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { JobContext } from "../../../threads/job.ts";
import { canName } from "../../../threads/blocking/unnamed_file.ts";
import { openWhole, walk } from "../../files/near.ts";
import type { Symlinks } from "../../files/open_root.ts";
import { openFolder } from "../../files/paths_below.ts";
import { serveFrames } from "../background/frame_server.ts";
import { restrictThread } from "../thread/sandbox.ts";
import type { SiteConfig } from "../sites/options.ts";
import { callOf, type NewFile, newFileOf, resultMessage, UploadCall } from "./messages.ts";
import { StoredFile } from "./stored_file.ts";

/** Input of the thread. */
export interface UploadJobData {
  readonly uploads: true;
  readonly sandbox: boolean;
  /** The folders of the server; files go to those with `upload` only. */
  readonly targets: readonly Pick<SiteConfig, "root" | "symlinks" | "upload">[];
}

const { CLOEXEC, DIRECTORY, PATH } = platform.open;
const FOLDER = PATH | DIRECTORY | CLOEXEC;

const RESOLVE: Readonly<Record<Symlinks, number>> = {
  inside: ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS,
  deny: ResolveFlag.BENEATH | ResolveFlag.NO_MAGICLINKS | ResolveFlag.NO_SYMLINKS,
  follow: ResolveFlag.NO_MAGICLINKS,
};

/** Stores files for the serving threads at the other ends of `job.fds`. */
export function serveUploads(job: JobContext, data: UploadJobData): void {
  const files = new Files(data);
  try {
    // Before the sandbox forbids to look.
    canName();
    const stored = data.targets.filter(({ upload }) => upload !== null);
    if (data.sandbox) restrictThread({ roots: stored.map(({ root }) => root), writes: true });
    serveFrames(job, { answer: (message) => resultMessage(files.call(message)) });
  } finally {
    files.close();
  }
}

class Files {
  readonly #data: UploadJobData;
  readonly #open = new Map<number, StoredFile>();
  /** The folders, if they never change. */
  readonly #fixed: readonly number[];
  #lastHandle = 0;

  constructor(data: UploadJobData) {
    this.#data = data;
    this.#fixed = data.sandbox ? data.targets.map(({ root }) => openFolder(root)) : [];
  }

  call(message: Uint8Array): number {
    if (message[0] === UploadCall.BEGIN) return this.#begin(message);
    const { call, count, handle, pipe } = callOf(message);
    const file = this.#open.get(handle);
    if (file === undefined) return EBADF;
    if (call === UploadCall.STORE) return file.store(pipe, count);
    this.#open.delete(handle);
    if (call === UploadCall.FINISH) return file.finish();
    file.discard();
    return 0;
  }

  /** Removes the files that are not complete. */
  close(): void {
    for (const file of this.#open.values()) file.discard();
    this.#open.clear();
    for (const root of this.#fixed) if (root >= 0) raw.close(root);
  }

  #begin(message: Uint8Array): number {
    const wanted = newFileOf(message);
    const folder = this.#folder(wanted);
    if (folder < 0) return folder;
    const file = StoredFile.begin(folder, wanted);
    if (typeof file === "number") return file;
    const handle = this.#lastHandle = (this.#lastHandle + 1) >>> 0;
    this.#open.set(handle, file);
    return handle;
  }

  /** Opens a folder below the root, which a deployment may have replaced meanwhile. */
  #folder({ folder: path, site }: NewFile): number {
    const { root: place, symlinks } = this.#data.targets[site]!;
    const fixed = this.#fixed[site];
    const root = fixed ?? openFolder(place);
    if (root < 0) return root;
    try {
      const opened = openWhole(root, path, FOLDER, RESOLVE[symlinks]);
      const missing = opened === ENOSYS || opened === EPERM;
      // Without openat2(2), no link is followed.
      return missing ? walk(root, path, FOLDER, false) as number : opened;
    } finally {
      if (fixed === undefined) raw.close(root);
    }
  }
}
