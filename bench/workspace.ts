/** The temporary folder of a run. @module */

import { createHash, randomFillSync } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { compile } from "./compile.ts";

const CHUNK = 4 * 1024 * 1024;

/** A generated file, with the expected contents of a download. */
export interface ServedFile {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** A temporary folder, removed when the process ends, by `exit` or by a signal. */
export class Workspace {
  /** Folder to serve. */
  readonly files: string;
  readonly #scripts: string;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    this.files = join(folder, "files");
    this.#scripts = join(folder, "scripts");
    for (const each of [this.files, this.#scripts]) mkdirSync(each);
    compile(this.#scripts);
  }

  /** Returns the path of a compiled file of `bench/`, by its name without `.ts`. */
  script(name: string): string {
    return join(this.#scripts, "bench", `${name}.js`);
  }

  /** Writes a file of random bytes to the disk. */
  file(name: string, size: number): ServedFile {
    const path = join(this.files, name);
    const hash = createHash("sha256");
    const fd = openSync(path, "wx");
    try {
      const bytes = new Uint8Array(CHUNK);
      for (let written = 0; written < size;) {
        const chunk = bytes.subarray(0, Math.min(CHUNK, size - written));
        hash.update(randomFillSync(chunk));
        written += writeSync(fd, chunk);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return { name, path, size, sha256: hash.digest("hex") };
  }
}

/** Returns the SHA-256 of a file, as in {@linkcode ServedFile.sha256}. */
export function sha256Of(path: string): string {
  const hash = createHash("sha256");
  const fd = openSync(path, "r");
  try {
    const bytes = new Uint8Array(CHUNK);
    for (let count; (count = readSync(fd, bytes)) > 0;) hash.update(bytes.subarray(0, count));
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}
