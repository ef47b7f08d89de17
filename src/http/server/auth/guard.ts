/** Lets in who knows a password. @module */

import { Reply, textPlan } from "../response/response.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { equalInConstantTime, matches, sha256 } from "./hashes.ts";
import type { AuthConfig, AuthUser } from "./options.ts";

/** Most credentials by hash that are remembered: checking them takes a millisecond. */
const MOST_KNOWN = 100;

/** Longest name with password, in bytes. */
const LONGEST = 1024;

const decoder = new TextDecoder();

/** Checks the credentials of requests. */
export class Guard {
  readonly #config: AuthConfig;
  /** Digests of credentials whose hash has been found right. */
  readonly #known: Uint8Array[] = [];
  /** Value of WWW-Authenticate. */
  readonly challenge: string;
  #reply: Reply | undefined;

  constructor(config: AuthConfig) {
    this.#config = config;
    // The runtime may load its library for this.
    sha256(new Uint8Array(0));
    this.challenge = `Basic realm="${config.realm}", charset="UTF-8"`;
  }

  /** Returns the response to a request without valid credentials, or `null` if it has them. */
  refuse(head: RequestHead): Reply | null {
    if (this.allows(head.header("authorization"))) return null;
    const plan = textPlan(401, { "WWW-Authenticate": this.challenge });
    return this.#reply ??= new Reply(plan, null, plan.parts[0] as Uint8Array);
  }

  /** Whether the value of Authorization is that of a user. */
  allows(value: string | null | undefined): boolean {
    const [, encoded] = /^basic +([\w+/=-]+) *$/i.exec(value ?? "") ?? [];
    const bytes = encoded === undefined ? undefined : decode(encoded);
    if (bytes === undefined || bytes.length > LONGEST) return false;
    const digest = sha256(bytes);
    let allowed = false;
    // Compares with all, so that the time tells nothing of the users.
    for (const known of [...this.#config.users.map((user) => user.digest), ...this.#known]) {
      if (equalInConstantTime(known, digest)) allowed = true;
    }
    return allowed || this.#allowsHash(bytes, digest);
  }

  #allowsHash(bytes: Uint8Array, digest: Uint8Array): boolean {
    const colon = bytes.indexOf(0x3a);
    const hashed = this.#config.users.filter(({ hash }) => hash !== "");
    if (colon < 0 || hashed.length === 0) return false;
    const name = decoder.decode(bytes.subarray(0, colon));
    const user = hashed.find((user) => user.name === name);
    // An unknown user takes as long.
    const { hash } = user ?? hashed[0] as AuthUser;
    if (!matches(bytes.subarray(colon + 1), hash) || user === undefined) return false;
    if (this.#known.push(digest) > MOST_KNOWN) this.#known.shift();
    return true;
  }
}

function decode(encoded: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
