/** What the log needs of the file system, and of the order of its tasks. @module */

import { Buffer } from "node:buffer";
import { fdatasync, ftruncateSync, readFileSync, write } from "node:fs";
import { promisify } from "node:util";
import { type MapOptions, MappedFile, UnsupportedError } from "../../../src/mod.ts";

const writeAt = promisify(write);

/** Writes a file to the disk. */
export const sync: (fd: number) => Promise<void> = promisify(fdatasync);

/** Writes at the end of a file of `size` bytes. If that fails, the file is as before. */
export async function append(fd: number, size: number, bytes: Buffer): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      done += (await writeAt(fd, bytes, done, left, size + done)).bytesWritten;
    }
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}

/** Maps a file into memory; undefined without foreign calls. */
export function map(path: string, options: MapOptions = {}): MappedFile | undefined {
  try {
    return MappedFile.open(path, options);
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
}

/** Calls `task` with the bytes of a file, which are mapped if possible. */
export function withBytes(path: string, task: (bytes: Buffer) => void): void {
  const file = map(path);
  if (file === undefined) return task(readFileSync(path));
  try {
    const { buffer, byteOffset, length } = file.bytes;
    task(Buffer.from(buffer, byteOffset, length));
  } finally {
    file.close();
  }
}

/** Runs one task after the other. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `task` when all earlier ones have ended. */
  run<T>(task: () => T | Promise<T>): Promise<T> {
    const done = this.#last.then(task);
    this.#last = done.catch(() => {});
    return done;
  }
}
