/** Whom requests are passed on to, and which. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { describe, wholeNumber } from "../../../options.ts";
import { type Endpoint, parseEndpoint, resolveEndpoint } from "../../../move/relay/endpoint.ts";
import { encodeAddress, type SocketAddress } from "../../../sys/address.ts";
import { familyNumber } from "../../../wait/listener.ts";
import type { SandboxOptions } from "../sandbox.ts";

export type { Endpoint };

/** What the program is told of who asked. */
export type Forwarding = "replace" | "append" | false;

/** Requests that are the program's own to answer. Times are in milliseconds. */
export interface FallbackOptions {
  /** Where its server listens: `"host:port"`, `":port"` on this machine, or `"unix:/path"`. */
  readonly to: string | Endpoint;
  /**
   * Beginnings of targets that are always the program's, whatever is in the folder: `"/api/"` is
   * everything below, `"/api"` also `/apis`. Compared with the target as it was sent.
   *
   * @default {none}
   */
  readonly paths?: readonly string[] | undefined;
  /** Whether what is not in the folder is the program's. @default {true} */
  readonly notFound?: boolean | undefined;
  /** Whether methods other than GET and HEAD are; never CONNECT and TRACE. @default {true} */
  readonly methods?: boolean | undefined;
  /**
   * Sets X-Forwarded-For, -Host and -Proto. `"replace"` drops what the client says of itself,
   * `"append"` is for behind a proxy that is trusted, `false` passes everything on as it is.
   *
   * @default {"replace"}
   */
  readonly forwarded?: Forwarding | undefined;
  /** Time for connecting; then 504. @default {5000} */
  readonly connectMs?: number | undefined;
  /** Time without a byte from the program; then 504, or the end of the answer. @default {60000} */
  readonly silenceMs?: number | undefined;
}

/** The same, checked. */
export interface FallbackChoice {
  readonly to: Endpoint;
  readonly paths: readonly string[];
  readonly notFound: boolean;
  readonly methods: boolean;
  readonly forwarded: Forwarding;
  readonly connectMs: number;
  readonly silenceMs: number;
}

/** What a thread is given: plain data. */
export interface FallbackConfig extends Omit<FallbackChoice, "to"> {
  readonly family: SocketAddress["family"];
  /** A `struct sockaddr`. */
  readonly address: Uint8Array;
}

const ACTION = "pass requests on";

/** A day: longer waits are mistakes. */
const MOST_MS = 86_400_000;

/** Checks the option. */
export function fallbackOf(value: string | FallbackOptions): FallbackChoice {
  const options = typeof value === "string" ? { to: value } : value;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${ACTION}: fallback is ${describe(options)}`);
  }
  const { connectMs = 5000, forwarded = "replace", paths = [], silenceMs = 60_000 } = options;
  const valid = Array.isArray(paths) &&
    paths.every((path) => typeof path === "string" && /^\/[!-"$->@-~]*$/.test(path));
  if (!valid) {
    throw new TypeError(`Cannot ${ACTION}: fallback.paths must be a list of paths from "/" on`);
  }
  if (forwarded !== "replace" && forwarded !== "append" && forwarded !== false) {
    throw new TypeError(`Cannot ${ACTION}: fallback.forwarded is ${describe(forwarded)}`);
  }
  return {
    to: parseEndpoint(options.to, "fallback"),
    paths,
    notFound: flag(options.notFound ?? true, "notFound"),
    methods: flag(options.methods ?? true, "methods"),
    forwarded,
    connectMs: time(connectMs, "connectMs"),
    silenceMs: time(silenceMs, "silenceMs"),
  };
}

/** Looks the name up, for the threads. */
export async function resolveFallback({ to, ...rest }: FallbackChoice): Promise<FallbackConfig> {
  const address = await resolveEndpoint(to);
  return { ...rest, family: address.family, address: encodeAddress(address) };
}

/** A configuration whose address stays where it is in memory, and what a sandbox must allow for it. */
export interface PinnedFallback {
  readonly fallback: FallbackConfig | null;
  readonly needs: SandboxOptions;
}

/**
 * Moves the address of the fallback to memory that never moves. In a sandbox, connect(2) is allowed
 * only with a pointer to it: a seccomp filter compares pointers, but cannot read what they point to.
 */
export function pinFallback(fallback: FallbackConfig | null): PinnedFallback {
  if (fallback === null) return { fallback, needs: {} };
  const { address, family } = fallback;
  const cell = new Cell(address.length);
  cell.bytes.set(address);
  const pinned = { ...fallback, address: cell.bytes };
  const addresses = [{ family: familyNumber(family), pointer: cell.address }];
  // `struct sockaddr_in` and `sockaddr_in6` have the port in the same place.
  if (family !== "Unix") {
    return { fallback: pinned, needs: { addresses, port: cell.view.getUint16(2) } };
  }
  return { fallback: pinned, needs: { addresses, abstract: address[2] === 0 } };
}

function flag(value: boolean, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot ${ACTION}: fallback.${name} must be true or false`);
}

function time(value: number, name: string): number {
  wholeNumber(value, `fallback.${name}`, ACTION);
  if (value >= 1 && value <= MOST_MS) return value;
  throw new RangeError(`Cannot ${ACTION}: fallback.${name} is ${value}, not in 1..${MOST_MS}`);
}
