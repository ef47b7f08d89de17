/** Trying a mechanism, and putting the outcome into words. @module */

import { errnoName } from "../errors.ts";
import * as raw from "../sys/raw/mod.ts";
import type { Region } from "../sys/region.ts";

/** Whether a mechanism can be used here, found by using it. */
export interface Mechanism {
  /**
   * - `works`: it was used, with success
   * - `missing`: the kernel, the C library, the file system or the hardware lacks it
   * - `forbidden`: it is there, and a permission, a limit or a sandbox refuses it
   * - `unknown`: it could not be tried; `detail` says why
   */
  readonly state: "works" | "missing" | "forbidden" | "unknown";
  /** What was found: sizes and versions, or the call that failed and its errno. */
  readonly detail: string;
  /** What to do about it; `null` where it works, or where nothing can be done. */
  readonly remedy: string | null;
}

/** What to do, by the name of the errno; `otherwise` for all that are not named. */
export type Remedies = Readonly<Record<string, string>> & { readonly otherwise?: string };

/** A call that did not do what the probe wanted. */
class Refused extends Error {
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** What a probe opens, closed when it is done. */
export class Scope {
  readonly #fds: number[] = [];
  readonly #regions: Region[] = [];

  /** Returns `result`, or ends the probe when it is a negative errno. */
  need(result: number, call: string): number {
    if (result < 0) throw new Refused(call, errnoName(-result));
    return result;
  }

  /** As {@linkcode need}, for a call that makes a descriptor; it is closed with the scope. */
  fd(result: number, call: string): number {
    const fd = this.need(result, call);
    this.#fds.push(fd);
    return fd;
  }

  /** As {@linkcode fd}, for both ends of a pipe or of a pair of sockets. */
  pair(make: (fds: Int32Array) => number, call: string): [number, number] {
    const fds = new Int32Array(2);
    this.need(make(fds), call);
    const [first, second] = fds as unknown as [number, number];
    this.#fds.push(first, second);
    return [first, second];
  }

  /** As {@linkcode fd}, for memory. */
  region(result: Region | number, call: string): Region {
    if (typeof result === "number") throw new Refused(call, errnoName(-result));
    this.#regions.push(result);
    return result;
  }

  /** Closes everything. */
  close(): void {
    for (const fd of this.#fds.splice(0)) raw.close(fd);
    for (const region of this.#regions.splice(0)) raw.munmap(region);
  }
}

/** Codes by which a permission, a limit or a sandbox says no. */
const FORBIDDEN = new Set(["EPERM", "EACCES", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EROFS"]);

/**
 * Runs a probe, which returns what it found, and closes what it opened.
 *
 * A probe that ends with a failed call makes the mechanism missing or forbidden; `remedies` has
 * the advice.
 */
export function attempt(probe: (scope: Scope) => string, remedies: Remedies = {}): Mechanism {
  const scope = new Scope();
  try {
    return { state: "works", detail: probe(scope), remedy: null };
  } catch (error) {
    if (!(error instanceof Refused)) return unknown(firstClause(error as Error));
    const { code, message } = error;
    return {
      state: FORBIDDEN.has(code) ? "forbidden" : "missing",
      detail: message,
      remedy: remedies[code] ?? remedies.otherwise ?? null,
    };
  } finally {
    scope.close();
  }
}

/** Of Node.js's `ENOENT: no such file or directory, open 'x'` what comes before the comma. */
function firstClause({ message }: Error): string {
  return message.split(", ", 1)[0]!;
}

/** A mechanism that could not be tried. */
export function unknown(detail: string, remedy: string | null = null): Mechanism {
  return { state: "unknown", detail, remedy };
}
