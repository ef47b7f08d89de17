/** Copies a file in one of three ways; traced by its test. @module */

import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { copyFile, Pipe, transfer } from "../../../src/mod.ts";

const [what, source = "", target = ""] = process.argv.slice(-3);
if (what === "copyFile") {
  await copyFile(source, target);
} else {
  const out = openSync(target, "w");
  if (what === "file to file") await transfer(source, out);
  else {
    const pipe = new Pipe();
    try {
      await Promise.all([
        transfer(source, pipe.writeFd).finally(() => pipe.closeWrite()),
        transfer(pipe.readFd, out),
      ]);
    } finally {
      pipe.close();
    }
  }
  closeSync(out);
}
process.exit(0);
