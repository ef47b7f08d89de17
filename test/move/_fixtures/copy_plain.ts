/** `copy_plain.ts FROM TO OPTIONS`: copies, and prints the code of the error, or "copied". @module */

import process from "node:process";
import { copyFile, type CopyOptions } from "../../../src/mod.ts";

const [from, to, options] = process.argv.slice(2) as [string, string, string];
try {
  await copyFile(from, to, JSON.parse(options) as CopyOptions);
  console.log("copied");
} catch (error) {
  console.log((error as { code?: string }).code ?? error);
}
