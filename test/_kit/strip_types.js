/**
 * `strip_types.js FOLDER` writes the sources of this checkout without types into this folder, for
 * `modules.js`. Blanks replace the types, so that lines and columns stay.
 *
 * @module
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import process from "node:process";

const ROOT = new URL("../../", import.meta.url);
const FOLDERS = ["bench", "examples", "ffi", "src", "test", "tools"];

const target = process.argv[2];
mkdirSync(target);
for (const folder of FOLDERS) {
  const inside = readdirSync(new URL(folder, ROOT), { recursive: true, encoding: "utf8" });
  for (const name of inside.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))) {
    const path = `${folder}/${name}`;
    const source = stripTypeScriptTypes(readFileSync(new URL(path, ROOT), "utf8"));
    writeFileSync(`${target}/${path.replaceAll("/", "+")}`, source);
  }
}
