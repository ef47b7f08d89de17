/** Tries a mechanism and describes the result. @module */

import { errnoName } from "../errors.ts";
import * as raw from "../sys/raw/mod.ts";
import type { Region } from "../sys/region.ts";

/** State of one mechanism, found by trying it. */
export interface Mechanism {
  /**
   * - `works`: a test succeeded
   * - `missing`: the kernel, the C library, the file system or the hardware lacks it
   * - `forbidden`: it exists, but a permission, a limit or a sandbox refuses it
   * - `unknown`: it could not be tried; `detail` says why
   */
  readonly state: "works" | "missing" | "forbidden" | "unknown";
  /** Sizes and versions that were found, or the call that failed and its errno. */
  readonly detail: string;
  /** How to enable it; `null` if it works or nothing helps. */
  readonly remedy: string | null;
}

/** Remedies by the name of the errno; `otherwise` for all other errnos. */
export type Remedies = Readonly<Record<string, string>> & { readonly otherwise?: string };

/** A call failed or did not do what the probe needs. */
class Refused extends Error {
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** Owns what a probe opens, and closes it at the end. */
export class Scope {
  readonly #fds: number[] = [];
  readonly #regions: Region[] = [];

  /** Returns `result`, or ends the probe if it is a negative errno. */
  need(result: number, call: string): number {
    if (result < 0) throw new Refused(call, errnoName(-result));
    return result;
  }

  /** Does the same for a call that returns a descriptor, which the scope closes. */
  fd(result: number, call: string): number {
    const fd = this.need(result, call);
    this.#fds.push(fd);
    return fd;
  }

  /** Does the same for a pair of descriptors, such as a pipe's. */
  pair(make: (fds: Int32Array) => number, call: string): [number, number] {
    const fds = new Int32Array(2);
    this.need(make(fds), call);
    const [first, second] = fds as unknown as [number, number];
    this.#fds.push(first, second);
    return [first, second];
  }

  /** Does the same for memory. */
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

/** Errnos by which a permission, a limit or a sandbox refuses. */
const FORBIDDEN = new Set(["EPERM", "EACCES", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EROFS"]);

/**
 * Runs a probe, which returns its finding, and closes what it opened.
 *
 * If a call of the probe fails, the mechanism is missing or forbidden. `remedies` has the advice.
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

/** Returns the part before the comma of Node.js's `ENOENT: no such file or directory, open 'x'`. */
function firstClause({ message }: Error): string {
  return message.split(", ", 1)[0]!;
}

/** Builds the state of a mechanism that could not be tried. */
export function unknown(detail: string, remedy: string | null = null): Mechanism {
  return { state: "unknown", detail, remedy };
}
