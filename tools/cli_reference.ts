/**
 * `npm run docs`: writes the tables of `docs/cli.md` and the man page `docs/sluice.1` from the options
 * of the command itself. With `--check`, it writes nothing, and exits with 1 if one is out of date.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { program } from "../src/cli/program.ts";
import { cliPage, manPage } from "./cli_pages.ts";

const PAGE = new URL("../docs/cli.md", import.meta.url);
const MAN = new URL("../docs/sluice.1", import.meta.url);

const check = process.argv.includes("--check");
const page = readFileSync(PAGE, "utf8");
for (const [file, text] of [[PAGE, cliPage(page, program)], [MAN, manPage(program)]] as const) {
  if (check && readFileSync(file, "utf8") === text) continue;
  if (check) {
    console.error(`${file.pathname} is out of date: npm run docs`);
    process.exitCode = 1;
  } else writeFileSync(file, text);
}
