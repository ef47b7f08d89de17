/**
 * The hosts by whose pages files may be uploaded.
 *
 * A page of another site counts as one of this site if its name is made to lead to this server: DNS
 * rebinding. Its origin then has a name that only its owner knows. An address cannot be such a name.
 *
 * @module
 */

import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { hostName } from "../rules/by_path/router.ts";

/** A name, or `*.` and a name: letters, digits, hyphens, underscores and dots. */
const NAME = /^(?:\*\.)?[\w-]+(?:\.[\w-]+)*\.?$/;

/** An IPv4 address; a browser writes each in this form. No top-level domain is a number. */
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** Checks the option `upload.hosts`; `null` if all hosts may upload. */
export function uploadHostsOf(value: unknown): readonly string[] | null {
  const list = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list)) {
    throw new TypeError(
      `Cannot serve files: upload.hosts must be a name or an array of names, not ${
        describe(value)
      }`,
    );
  }
  if (list.includes("*")) return null;
  return list.map((name: unknown) => {
    if (typeof name === "string" && NAME.test(name)) return hostName(name);
    throw new TypeError(
      `Cannot serve files: upload.hosts has ${describe(name)}, but expects names without port, ` +
        'such as "files.example.com" or "*.example.com", or "*" alone',
    );
  });
}

/** Domains in which nobody can register a name. */
const PRIVATE = ["local", "lan", "home", "internal", "home.arpa"];

/** Names by which this machine is known around it. */
export function ownNames(): string[] {
  let own: string;
  try {
    own = hostName(builtin("os").hostname());
  } catch {
    // Deno, without the permission to ask.
    return [];
  }
  const [first = ""] = own.split(".");
  if (first === "" || first === "localhost") return [];
  return [own, first, ...PRIVATE.map((domain) => `${first}.${domain}`)];
}

/** Whether a Host field has an address, `localhost`, or one of `names`. */
export function isKnownHost(host: string, names: readonly string[]): boolean {
  const name = hostName(host);
  if (name[0] === "[" || IPV4.test(name)) return true;
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return names.some((known) => known[0] === "*" ? name.endsWith(known.slice(1)) : name === known);
}
