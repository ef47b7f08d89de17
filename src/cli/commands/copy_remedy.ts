/** Remedies for failed copies. @module */

import { dirname } from "node:path";
import { explain } from "../exit.ts";

/** The requested copy. */
interface Attempt {
  readonly source: string;
  readonly target: string;
  readonly method: string;
}

type Remedy = string | ((attempt: Attempt, message: string) => string);

const PERMISSIONS: Remedy = ({ source, target }) =>
  `check the permissions: ls -ld "${source}" "${dirname(target)}"`;

const FULL: Remedy = ({ target }) =>
  `nothing was left behind; free space (df -h "${dirname(target)}"), or copy to another disk`;

const METHOD: Remedy = ({ method }) =>
  method === "reflink"
    ? "only files in one btrfs, XFS or bcachefs file system can share blocks; leave out --method"
    : `the file system does not support --method ${method}; leave it out`;

const REMEDIES: Record<string, Remedy> = {
  EACCES: PERMISSIONS,
  EPERM: PERMISSIONS,
  EROFS: "the file system is mounted read-only; choose another target",
  EEXIST: "leave out --no-overwrite to replace it",
  EISDIR: "sluice copies one file at a time; use cp -r for folders",
  ENOENT: ({ target }, message) =>
    message.includes("Cannot open")
      ? "check the path of the source"
      : `make the folder first: mkdir -p "${dirname(target)}"`,
  ENOTDIR: "part of the path is a file; check the path of the target",
  ENAMETOOLONG: "choose a shorter name",
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: "the file exceeds the size limit; see ulimit -f",
  EMFILE: "too many files are open; see ulimit -n",
  EOPNOTSUPP: METHOD,
  EXDEV: METHOD,
  ENOTTY: METHOD,
  EIO: "the disk failed; see dmesg",
};

/** Adds a remedy to the error, if one is known. */
export function withRemedy(error: unknown, attempt: Attempt): unknown {
  if (!(error instanceof Error)) return error;
  const remedy = REMEDIES[String((error as { code?: unknown }).code)];
  if (remedy === undefined) return error;
  const text = typeof remedy === "string" ? remedy : remedy(attempt, error.message);
  return new Error(`${explain(error)}\nhint: ${text}`);
}
