/** Describes files opened below a root by system calls. @module */

import { errnoNumber } from "../../errors.ts";
import {
  isDoubtful,
  type Snapshot,
  snapshot,
  snapshotNow,
} from "../../move/engine/file/pseudo_files.ts";
import { openFile } from "../../threads/blocking/opening.ts";
import * as raw from "../../sys/raw/mod.ts";
import { FileType } from "../../sys/file/statx.ts";
import { closeFile, type FileStatus, statusNow, statusOf } from "../../threads/blocking/files.ts";
import type { Representation } from "../rules/representation.ts";
import type { OpenFile } from "./root.ts";

const EINVAL = errnoNumber("EINVAL");
const EIO = errnoNumber("EIO");
const ENOENT = errnoNumber("ENOENT");

/**
 * Describes a descriptor, or closes it if it is neither a regular file nor a folder. Passes on a
 * negative errno. Returns at once, unless it must ask another machine or read the file; never
 * rejects.
 *
 * @param close Closes the descriptor; close(2) by default.
 */
export function describeOpened(
  fd: number,
  close?: (fd: number) => void,
): OpenFile | number | Promise<OpenFile | number> {
  if (fd < 0) return refused(fd);
  const status = statusOf(fd);
  if (status instanceof Promise) {
    const closing = close ?? closeFile;
    return status.then((known) => fromStatus(fd, known, closing), () => {
      closing(fd);
      return -EIO;
    });
  }
  return fromStatus(fd, status, close ?? raw.close);
}

/** Does the same in a thread that may block. */
export function describeNow(fd: number): OpenFile | number {
  if (fd < 0) return refused(fd);
  const status = statusNow(fd);
  const file = kindOf(fd, status, raw.close);
  if (file === undefined) return typeof status === "number" ? status : -ENOENT;
  if (!isDoubtful(status as FileStatus)) return file;
  const copy = snapshotNow(fd, status as FileStatus);
  if (typeof copy === "number") file.close();
  return typeof copy === "number" ? copy : made(file, copy);
}

/** Opens a file or folder by a trusted path; never rejects. */
export async function openNamed(path: string): Promise<OpenFile | number> {
  try {
    const { fd, close } = await openFile(path);
    return await describeOpened(fd, close);
  } catch (error) {
    return refused(-errnoOf(error));
  }
}

function fromStatus(
  fd: number,
  status: FileStatus | number,
  close: (fd: number) => void,
): OpenFile | number | Promise<OpenFile | number> {
  const file = kindOf(fd, status, close);
  if (file === undefined) return typeof status === "number" ? status : -ENOENT;
  if (!isDoubtful(status as FileStatus)) return file;
  return snapshot(fd, status as FileStatus).then((copy) => made(file, copy), (error) => {
    file.close();
    return -errnoOf(error);
  });
}

function errnoOf(error: unknown): number {
  return errnoNumber(String((error as { code?: unknown }).code)) || EIO;
}

/** Treats EINVAL as absent: special files may return it, and cannot be served. */
function refused(errno: number): number {
  return errno === -EINVAL ? -ENOENT : errno;
}

/** Describes a file or folder; closes anything else. */
function kindOf(
  fd: number,
  status: FileStatus | number,
  close: (fd: number) => void,
): NativeFile | undefined {
  if (typeof status !== "number") {
    const { type } = status;
    if (type === FileType.REGULAR) return new NativeFile(fd, false, status, close);
    if (type === FileType.DIRECTORY) return new NativeFile(fd, true, status, close);
  }
  close(fd);
  return undefined;
}

/** Replaces a file with its copy. The copy has the time of now, whatever the file reports. */
function made(file: NativeFile, copy: Snapshot | undefined): OpenFile {
  if (copy === undefined) return file;
  file.close();
  const now = BigInt(Date.now()) * 1_000_000n;
  const times = { size: copy.size, mtimeNs: now, ctimeNs: now };
  return Object.assign(new NativeFile(copy.fd, false, times, raw.close), { made: true });
}

class NativeFile implements OpenFile {
  readonly fd: number;
  readonly folder: boolean;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly remote: boolean | undefined;
  described?: Representation;
  readonly #close: (fd: number) => void;
  #open = true;

  constructor(
    fd: number,
    folder: boolean,
    { size, mtimeNs, ctimeNs, mount }:
      & Pick<OpenFile, "size" | "mtimeNs" | "ctimeNs">
      & Partial<Pick<FileStatus, "mount">>,
    close: (fd: number) => void,
  ) {
    this.fd = fd;
    this.folder = folder;
    this.size = size;
    this.mtimeNs = mtimeNs;
    this.ctimeNs = ctimeNs;
    this.remote = mount && mount.storage === "remote";
    this.#close = close;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#close(this.fd);
  }
}
