/** Creates the folder that `npm start` serves. @module */

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { randomFillSync } from "node:crypto";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { drawing, gradient, tones } from "./media.ts";
import { page } from "./page.ts";

const MIB = 1024 * 1024;
const LARGE_BYTES = 1024 * MIB;

/**
 * Creates the missing files of the folder in `parent`, and returns its path. `note` appears on its
 * page.
 */
export function makeFolder(
  parent: string,
  note: string,
  largeBytes: number = LARGE_BYTES,
): string {
  // One folder per user, because all users share the folder for temporary files.
  const folder = join(parent, `sluice-start-${process.getuid?.() ?? "user"}`);
  const files = join(folder, "files");
  mkdirSync(files, { recursive: true, mode: 0o700 });
  for (const name of ["README.md", "LICENSE"]) {
    const original = new URL(`../../${name}`, import.meta.url);
    if (existsSync(original)) write(join(files, name), readFileSync(original));
  }
  write(join(files, "gradient.png"), gradient(1280, 480));
  write(join(files, "path.svg"), drawing());
  write(join(files, "tones.wav"), tones(60));
  makeLarge(join(files, "large.bin"), largeBytes);
  write(join(folder, "index.html"), page(note, largeBytes));
  return folder;
}

/** Fills a temporary file and renames it, so that running downloads get the old file completely. */
function replace(path: string, fill: (temporary: string) => void): void {
  const temporary = join(dirname(path), `.${basename(path)}.part`);
  try {
    fill(temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function write(path: string, content: string | Uint8Array): void {
  replace(path, (temporary) => writeFileSync(temporary, content));
}

/** Writes random bytes, which nothing can compress. Keeps an existing file of that size. */
function makeLarge(path: string, size: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.size === size) return;
  const block = randomFillSync(new Uint8Array(Math.min(8 * MIB, size)));
  const stamp = new DataView(block.buffer);
  replace(path, (temporary) => {
    const fd = openSync(temporary, "w");
    try {
      for (let position = 0; position < size;) {
        // No two blocks are equal, so bytes from a wrong offset show.
        stamp.setBigUint64(0, BigInt(position));
        position += writeSync(fd, block, 0, Math.min(block.length, size - position));
        showProgress(basename(path), position / size);
      }
    } finally {
      closeSync(fd);
    }
  });
}

function showProgress(name: string, done: number): void {
  if (!process.stdout.isTTY) return;
  const bar = "#".repeat(Math.round(done * 30)).padEnd(30, ".");
  process.stdout.write(`\rWriting ${name} [${bar}] ${Math.round(done * 100)}%`);
  if (done === 1) process.stdout.write("\n");
}
