/** The file to compare with: the user's, or random bytes. @module */

import { createHash, randomFillSync } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readSync,
  statfsSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { size as sizeText } from "./summary.ts";

const CHUNK = 4 * 1024 * 1024;

/**
 * Bytes from which a file is measured. What a library does once for each file costs as much as
 * moving about a megabyte, and the spread of smaller files hides their bytes.
 */
export const LEAST_BYTES = 1_000_000;

/** A regular file that must not change during the comparison. */
export class InputFile {
  readonly path: string;
  /** The path that the user gave; `null` for a generated file. */
  readonly given: string | null;
  readonly #stats: Stats;

  private constructor(path: string, given: string | null) {
    this.path = path;
    this.given = given;
    this.#stats = statSync(path);
  }

  /**
   * Opens the user's file, or generates one in `folder`.
   *
   * @throws {Error} When it is not a regular file, is empty, or is not readable.
   */
  static open(given: string | undefined, size: number, folder: string): InputFile {
    if (given === undefined) return new InputFile(generate(join(folder, "file"), size), null);
    const refuse = (why: string) => new Error(`Cannot compare "${given}": ${why}`);
    let stats: Stats | undefined;
    try {
      stats = statSync(given, { throwIfNoEntry: false });
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EACCES") throw error;
      throw refuse(`you may not search its folder; see ls -ld "${dirname(given)}"`);
    }
    if (stats === undefined) throw refuse("there is no such file");
    if (stats.isDirectory()) throw refuse("it is a folder; name a file");
    if (!stats.isFile()) throw refuse("it is not a regular file");
    if (stats.size === 0) throw refuse("it is empty");
    try {
      accessSync(given, constants.R_OK);
    } catch (error) {
      const gone = (error as { code?: unknown }).code === "ENOENT";
      throw refuse(gone ? "there is no such file" : "it is not readable");
    }
    return new InputFile(given, given);
  }

  /** Bytes. */
  get size(): number {
    return this.#stats.size;
  }

  /** Whether it is too small to measure. */
  get tooSmall(): boolean {
    return this.size < LEAST_BYTES;
  }

  /** Throws if the file has changed. */
  checkUnchanged(): void {
    const now = statSync(this.path, { throwIfNoEntry: false });
    const name = this.given ?? "the generated file";
    if (now === undefined) throw new Error(`Cannot continue: "${name}" has vanished`);
    const { ino, size, mtimeMs } = this.#stats;
    if (now.ino !== ino || now.size !== size || now.mtimeMs !== mtimeMs) {
      throw new Error(`Cannot continue: "${name}" was changed during the comparison`);
    }
  }

  /** Throws if `folder` has no room for a copy. */
  checkRoom(folder: string): void {
    let free: number;
    try {
      const { bavail, bsize } = statfsSync(folder);
      free = bavail * bsize;
    } catch {
      // The copy itself will report it.
      return;
    }
    if (free < this.size) {
      throw new Error(
        `Cannot copy ${sizeText(this.size)} into "${folder}": it has room for only ` +
          `${sizeText(free)}; name another folder with --temp`,
      );
    }
  }
}

/** Returns the SHA-256 of a file in hexadecimal. */
export function checksum(path: string): string {
  const hash = createHash("sha256");
  const fd = openSync(path, "r");
  try {
    const buffer = new Uint8Array(CHUNK);
    for (let count = 1; count > 0;) {
      count = readSync(fd, buffer);
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}

/** Writes random bytes, which nothing can compress or deduplicate. */
export function generate(path: string, size: number): string {
  const fd = openSync(path, "wx", 0o600);
  try {
    const buffer = new Uint8Array(Math.min(CHUNK, size));
    for (let done = 0; done < size;) {
      const chunk = buffer.subarray(0, Math.min(CHUNK, size - done));
      done += writeSync(fd, randomFillSync(chunk));
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return path;
}
