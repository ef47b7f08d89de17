/** Compressed versions of files in a folder of their own. @module */

import { SUFFIXES } from "../rules/fields/codings.ts";
import type { Coding } from "../rules/types.ts";
import type { OpenFile, Root } from "./root.ts";

/** Begins the path of a compressed version. No path of a file begins with it. */
const MARK = "/";

/**
 * Returns what tells the versions of a file apart: size and times. No program can set the time of
 * the last change (ctime), so a version is never sent for another file.
 */
export function versionTag(file: Pick<OpenFile, "ctimeNs" | "mtimeNs" | "size">): string {
  return [file.mtimeNs, file.ctimeNs, file.size].map((part) => part.toString(36)).join("-");
}

/** Returns the path, for a look-up, of the compressed version of a file. */
export function versionPath(path: string, file: OpenFile, coding: Coding): string {
  return `${MARK}${path}.${versionTag(file)}${SUFFIXES[coding]}`;
}

/** A root, and the folder with the compressed versions of its files. */
export class RootWithVersions implements Root {
  readonly path: string;
  readonly openNow: Root["openNow"];
  readonly openNear: Root["openNear"];
  readonly #root: Root;
  readonly #versions: Root;

  /** Owns both. */
  constructor(root: Root, versions: Root) {
    this.path = root.path;
    this.#root = root;
    this.#versions = versions;
    const { openNear, openNow } = root;
    this.openNow = openNow &&
      ((path) => path[0] === MARK ? versions.openNow!(path.slice(MARK.length)) : openNow(path));
    this.openNear = openNear &&
      ((path) => path[0] === MARK ? versions.openNear!(path.slice(MARK.length)) : openNear(path));
  }

  open(path: string): ReturnType<Root["open"]> {
    return path[0] === MARK ? this.#versions.open(path.slice(MARK.length)) : this.#root.open(path);
  }

  close(): void {
    this.#root.close();
    this.#versions.close();
  }
}
