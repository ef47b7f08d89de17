/** The path below which a folder is served, and the part of a target below it. @module */

import { decodeName, encodePath } from "../target.ts";

/** A path, compiled by {@linkcode compileMount}. */
export interface Mount {
  /** Decoded names of the path, from the root down; none for the root itself. */
  readonly names: readonly string[];
  /** The path as clients send it, without a slash at its end; empty for the root. */
  readonly path: string;
  /** Whether clients may send the path in one spelling only. */
  readonly plain: boolean;
}

/** The root itself. */
export const ROOT: Mount = { names: [], path: "", plain: true };

const PLAIN = /^[\w\-.~]+$/;

/**
 * Compiles a path such as `/media` or `/a b/`, decoded; a slash at its end does not matter. Returns
 * `undefined` if no target can lead to it.
 */
export function compileMount(path: string): Mount | undefined {
  if (path[0] !== "/" || !path.isWellFormed()) return undefined;
  const bare = path.replace(/\/$/, "");
  if (bare === "") return ROOT;
  const names = bare.slice(1).split("/");
  // deno-lint-ignore no-control-regex -- no target contains them
  const refused = (name: string) => /^\.{0,2}$|[\\\x00-\x1f\x7f]/.test(name);
  if (names.some(refused)) return undefined;
  return { names, path: encodePath(names), plain: names.every((name) => PLAIN.test(name)) };
}

/**
 * Returns what follows the path of a mount in the path of a target: empty, or from a slash on;
 * `undefined` if the target lies elsewhere.
 *
 * File look-up rejects respelled names (`%61` for `a`, `//`, `/./`), so a plain mount has one
 * spelling. In other mounts, each name is decoded and compared.
 */
export function belowMount({ names, path, plain }: Mount, target: string): string | undefined {
  if (plain || target.startsWith(path)) {
    if (!target.startsWith(path)) return undefined;
    const rest = target.slice(path.length);
    return rest === "" || rest[0] === "/" ? rest : undefined;
  }
  let at = 0;
  for (const name of names) {
    if (target[at] !== "/") return undefined;
    const next = target.indexOf("/", at + 1);
    const end = next < 0 ? target.length : next;
    if (decodeName(target.slice(at + 1, end)) !== name) return undefined;
    at = end;
  }
  return target.slice(at);
}
