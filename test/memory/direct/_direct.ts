/** Common code of the tests of DirectFile. @module */

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DirectFile } from "../../../src/mod.ts";
import { pattern } from "../../_kit/temp.ts";

/** The engines that move the bytes; both must do the same. */
export type Engine = "ring" | "threads";

/** Asks for an engine. It is made at the first use in this process. */
export function choose(engine: Engine): void {
  process.env["SLUICE_RING"] = engine === "threads" ? "off" : "";
}

/** Starts what the library keeps, so that it is no leak. */
export async function warmUp(): Promise<void> {
  await withPath(new Uint8Array(4096), async (path) => {
    const file = await DirectFile.open(path, { access: "write" });
    await Promise.all(
      Array.from({ length: 64 }, (_, i) => file.write(new Uint8Array(1000), 1000 * i)),
    );
    await file.close();
  });
}

/** Runs `body` with the path of a file that holds `bytes`; its folder is gone afterwards. */
export async function withPath<T>(
  bytes: Uint8Array | string,
  body: (path: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-direct-"));
  const path = join(folder, "file");
  try {
    writeFileSync(path, bytes);
    return await body(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs `body` with a file that is open for writing. */
export function withDirect<T>(
  bytes: Uint8Array | string,
  body: (file: DirectFile, path: string) => Promise<T>,
): Promise<T> {
  return withPath(bytes, async (path) => {
    const file = await DirectFile.open(path, { access: "write" });
    try {
      return await body(file, path);
    } finally {
      await file.close();
    }
  });
}

/** Reads a part of a file as everybody does. */
export function plainRead(path: string, offset: number, length: number): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const target = new Uint8Array(length);
    let read = 0;
    while (read < length) {
      const count = readSync(fd, target, read, length - read, offset + read);
      if (count === 0) break;
      read += count;
    }
    return target.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}

/** Bytes that tell where they are from, and repeat only after 251 positions. */
export function bytesFrom(seed: number, length: number): Uint8Array {
  return pattern(length, seed);
}
