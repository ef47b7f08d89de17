/** Writes past RLIMIT_FSIZE, aligned and not; started with that limit. @module */

import { readFileSync } from "node:fs";
import process from "node:process";
import { DirectFile } from "../../../src/memory/direct/direct_file.ts";

const path = process.argv.at(-1)!;
const file = await DirectFile.open(path, { access: "write" });
const source = Uint8Array.from({ length: 65_536 }, (_, i) => i % 251);
const codes: string[] = [];
let good = true;
for (const [offset, length] of [[0, 65_536], [100, 60_000]] as const) {
  try {
    await file.write(source.subarray(0, length), offset);
  } catch (error) {
    const { code, bytesMoved } = error as Error & { code: string; bytesMoved: number };
    codes.push(code);
    const written = readFileSync(path).subarray(offset, offset + bytesMoved);
    good &&= written.equals(source.subarray(0, bytesMoved));
  }
}
console.log(JSON.stringify({ codes, size: file.size, good }));
await file.close();
