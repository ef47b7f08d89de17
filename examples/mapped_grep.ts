/**
 * Searches for text in a file of any size: `node examples/mapped_grep.ts TEXT FILE`, or with `bun`
 * or `deno run -A`. Prints the offset and the line of each match; exits with 1 if there is none.
 *
 * Maps the file and searches it in place, so the runtime's memory stays small.
 *
 * @module
 */

import process from "node:process";
import { MappedFile } from "../src/mod.ts";
import { grep } from "./mapped_grep/grep.ts";

const [text, file] = process.argv.slice(2);
if (text === undefined || file === undefined) {
  console.error("Usage: mapped_grep TEXT FILE");
  process.exit(2);
}

const startMs = performance.now();
let count = 0;
const map = MappedFile.open(file);
try {
  map.advise("sequential");
  for (const { offset, line } of grep(map, text)) {
    count++;
    console.log(`${offset}:${line}`);
  }
  const seconds = (performance.now() - startMs) / 1e3;
  const speed = map.length / 1e9 / seconds;
  console.error(
    `${count} lines in ${map.length} bytes, ${seconds.toFixed(3)} s, ${speed.toFixed(2)} GB/s`,
  );
} finally {
  map.close();
}
process.exitCode = count === 0 ? 1 : 0;
