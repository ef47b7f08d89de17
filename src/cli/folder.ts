/** Checks the folder that a command is given. @module */

import { opendirSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";

/**
 * Returns the real path of a readable folder.
 *
 * @param doing The verb for error messages, such as `"serve"`.
 * @throws {Error} With the cause and a remedy.
 */
export function folderAt(dir: string, doing: string): string {
  const refuse = (why: string) => new Error(`Cannot ${doing} ${dir || '""'}: ${why}`);
  // Node.js treats an empty path as the current folder.
  if (dir === "") throw refuse("the path is empty");
  let root: string;
  try {
    root = realpathSync(dir);
    if (statSync(root).isDirectory()) {
      // access(2) would check the real user instead of the effective one.
      opendirSync(root).closeSync();
      statSync(`${root}/.`);
      return root;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES") throw refuse(`you may not read it; see ls -ld "${dir}"`);
    if (code === "ELOOP") throw refuse("its symbolic links form a loop");
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    const hint = dir === "." ? "" : `; name a folder, or leave it out to ${doing} ${process.cwd()}`;
    throw refuse(`there is no such folder${hint}`);
  }
  throw refuse(`it is a file; name its folder, ${dirname(root)}`);
}
