/** The folder that a command is given. @module */

import { opendirSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";

/**
 * Returns the real path of a folder that can be read.
 *
 * @param doing What the command is about to do, such as `"serve"`; errors begin with it.
 * @throws {Error} With what is wrong, and what helps.
 */
export function folderAt(dir: string, doing: string): string {
  const refuse = (why: string) => new Error(`Cannot ${doing} ${dir || '""'}: ${why}`);
  // Node.js takes an empty path for the current folder.
  if (dir === "") throw refuse("the path is empty");
  let root: string;
  try {
    root = realpathSync(dir);
    if (statSync(root).isDirectory()) {
      // Not access(2), which asks for the real user.
      opendirSync(root).closeSync();
      statSync(`${root}/.`);
      return root;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES") throw refuse(`you may not read it; see ls -ld "${dir}"`);
    if (code === "ELOOP") throw refuse("its links lead in a circle");
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    const hint = dir === "." ? "" : `; name a folder, or leave it out to ${doing} ${process.cwd()}`;
    throw refuse(`there is no such folder${hint}`);
  }
  throw refuse(`it is a file; name its folder, ${dirname(root)}`);
}
