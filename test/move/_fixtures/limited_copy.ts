/**
 * Copies /proc/cpuinfo when files may have 512 bytes; prints what became of it. The limit is set in the
 * midst, for Deno does not start under it. With `free` before the folder, there is no limit.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { copyFile } from "../../../src/mod.ts";

const folder = process.argv.at(-1)!;
// Code that is loaded for the first time may write files, too.
await copyFile("/proc/cpuinfo", join(folder, "first"));
rmSync(join(folder, "first"));
const limit = process.argv.at(-2) === "free" ? "unlimited" : "512";
const { status, stderr } = spawnSync("prlimit", [`--fsize=${limit}`, "--pid", String(process.pid)]);
if (status !== 0) throw new Error(`prlimit: ${stderr}`);
const code = await copyFile("/proc/cpuinfo", join(folder, "copy")).then(
  () => "copied",
  (error) => error.code,
);
console.log(JSON.stringify({ code, left: readdirSync(folder) }));
process.exit(0);
