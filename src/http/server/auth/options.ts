/** Checks the users of a server. @module */

import { checkObject, describe } from "../../../options.ts";
import { isKnownHash, sha256 } from "./hashes.ts";

/** Who may use a server, by HTTP's Basic authentication (RFC 7617). */
export interface AuthOptions {
  /** Passwords by user. */
  readonly users?: Readonly<Record<string, string>> | undefined;
  /** Text of a htpasswd file, with hashes by `htpasswd -m` (apr1) or `-s` (SHA-1). */
  readonly htpasswd?: string | undefined;
  /** Name that browsers show. @default {"files"} */
  readonly realm?: string | undefined;
}

/** A user of the threads. */
export interface AuthUser {
  readonly name: string;
  /** As in a htpasswd file; empty if `digest` is known. */
  readonly hash: string;
  /** SHA-256 of `name:password`; empty if only the hash is known. */
  readonly digest: Uint8Array;
}

/** Checked {@linkcode AuthOptions}, as plain data. */
export interface AuthConfig {
  readonly realm: string;
  readonly users: readonly AuthUser[];
}

const ACTION = "serve files";
const NO_DIGEST = new Uint8Array(0);
const encoder = new TextEncoder();

/**
 * Checks the users.
 *
 * @throws {TypeError} When there are none, or a name, a password or a hash is invalid.
 */
export function authOf(options: AuthOptions): AuthConfig {
  checkObject(options, ACTION);
  const { htpasswd = "", realm = "files", users = {} } = options;
  if (typeof realm !== "string" || !/^[ !#-[\]-~]*$/.test(realm)) {
    throw refused(`realm must be plain text without quotes, not ${describe(realm)}`);
  }
  if (typeof htpasswd !== "string") throw refused(`htpasswd is ${describe(htpasswd)}`);
  checkObject(users, ACTION);
  const all = [
    ...Object.entries(users).map(([name, password]) => userOf(name, password)),
    ...parse(htpasswd),
  ];
  if (all.length === 0) throw refused("it names no user");
  return { realm, users: all };
}

function userOf(name: string, password: unknown): AuthUser {
  // RFC 7617, 2: the first colon ends the name.
  if (name.includes(":") || typeof password !== "string" || password === "") {
    throw refused(`the user ${describe(name)} needs a name without ":" and a password`);
  }
  return { name, hash: "", digest: sha256(encoder.encode(`${name}:${password}`)) };
}

function parse(text: string): AuthUser[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "" || line[0] === "#") return [];
    const [, name, hash] = /^([^:]+):([^:]+)/.exec(line) ?? [];
    if (name === undefined) throw refused(`line ${index + 1} of htpasswd is no "user:hash"`);
    if (!isKnownHash(hash!)) {
      throw refused(
        `the hash of ${describe(name)} in htpasswd is of a kind that cannot be checked here; ` +
          "make it by htpasswd -m or -s",
      );
    }
    return [{ name, hash: hash!, digest: NO_DIGEST }];
  });
}

function refused(why: string): TypeError {
  return new TypeError(`Cannot ${ACTION}: auth: ${why}`);
}
