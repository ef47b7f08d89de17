/** What to do about a copy that failed. @module */

import { dirname } from "node:path";
import { explain } from "../exit.ts";

/** What was asked for. */
interface Attempt {
  readonly source: string;
  readonly target: string;
  readonly method: string;
}

type Remedy = string | ((attempt: Attempt, message: string) => string);

const PERMISSIONS: Remedy = ({ source, target }) =>
  `see who may read and write there: ls -ld "${source}" "${dirname(target)}"`;

const FULL: Remedy = ({ target }) =>
  `nothing was left behind; make room (df -h "${dirname(target)}"), or copy to another disk`;

const METHOD: Remedy = ({ method }) =>
  method === "reflink"
    ? "files share blocks within one btrfs, XFS or bcachefs file system only; leave out --method"
    : `the file system does not allow --method ${method}; leave it out`;

const REMEDIES: Record<string, Remedy> = {
  EACCES: PERMISSIONS,
  EPERM: PERMISSIONS,
  EROFS: "the file system is mounted read-only; choose another target",
  EEXIST: "leave out --no-overwrite to replace it",
  EISDIR: "one file at a time is copied; for folders there is cp -r",
  ENOENT: ({ target }, message) =>
    message.includes("Cannot open")
      ? "check the path of the source"
      : `make the folder first: mkdir -p "${dirname(target)}"`,
  ENOTDIR: "a part of the path is a file; check the path of the target",
  ENAMETOOLONG: "choose a shorter name",
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: "the file is longer than allowed here; see ulimit -f",
  EMFILE: "too many files are open; see ulimit -n",
  EOPNOTSUPP: METHOD,
  EXDEV: METHOD,
  ENOTTY: METHOD,
  EIO: "the disk failed; see dmesg",
};

/** The error with what can be done about it, where that is known. */
export function withRemedy(error: unknown, attempt: Attempt): unknown {
  if (!(error instanceof Error)) return error;
  const remedy = REMEDIES[String((error as { code?: unknown }).code)];
  if (remedy === undefined) return error;
  const text = typeof remedy === "string" ? remedy : remedy(attempt, error.message);
  return new Error(`${explain(error)}\nhint: ${text}`);
}
