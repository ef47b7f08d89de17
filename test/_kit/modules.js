/**
 * Loads the modules of this checkout on Node.js quickly: `npm test` passes it to every process of a run
 * by `NODE_OPTIONS`.
 *
 * The library has 600 modules with 3,000 imports. Node.js strips the types of each module and resolves
 * each import in every process and every Worker, which took most of the tests' processor time. The compile
 * cache saves the stripping only, and nothing when coverage is collected.
 *
 * JavaScript, because Node.js loads it in every process without types to strip.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import module from "node:module";
import process from "node:process";

const ROOT = new URL("../../", import.meta.url).href;
const FOLDER = process.env["SLUICE_TEST_MODULES"];

/** The sources without types, by address; `test/_kit/strip_types.js` has written them. */
const files = new Map();

/** Whether the program is one of this checkout: not npm, not a bundler, not `node -e`. */
function isOwnProgram() {
  const program = process.argv[1];
  if (program === undefined) return false;
  const { href } = new URL(program, "file:///");
  return href.startsWith(ROOT) && href.endsWith(".ts");
}

if (FOLDER !== undefined && isOwnProgram()) {
  for (const name of readdirSync(FOLDER)) files.set(ROOT + name.replaceAll("+", "/"), name);
  module.registerHooks({
    resolve(specifier, context, next) {
      const { parentURL } = context;
      if (specifier.startsWith(".") && files.has(parentURL)) {
        const { href } = new URL(specifier, parentURL);
        if (files.has(href)) return { url: href, format: "module", shortCircuit: true };
      }
      return next(specifier, context);
    },
    load(url, context, next) {
      const name = files.get(url);
      if (name === undefined) return next(url, context);
      const source = readFileSync(`${FOLDER}/${name}`, "utf8");
      return { format: "module", source, shortCircuit: true };
    },
  });
}
