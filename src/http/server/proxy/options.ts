/** Whom requests are passed on to, and which. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { describe, wholeNumber } from "../../../options.ts";
import { type Endpoint, parseEndpoint, resolveAll } from "../../../move/relay/endpoint.ts";
import { familyNumber } from "../../../sys/net/listener.ts";
import { type DialAddress, dialAddresses } from "../../../threads/loop/dial.ts";
import { lookedUpPath } from "../../rules/target.ts";
import type { DialTls } from "../../../tls/client/dialer.ts";
import type { ServerIdentity } from "../../../tls/client/identity.ts";
import type { Accel } from "../response/accel.ts";
import type { SandboxOptions } from "../thread/sandbox.ts";
import { type FallbackTlsOptions, identityOf, urlEndpoint } from "./tls/options.ts";

export type { Endpoint };

/** Fields that tell the program about the client. */
export type Forwarding = "replace" | "append" | false;

/** Requests that are the program's own to answer. Times are in milliseconds. */
export interface FallbackOptions extends FallbackTlsOptions {
  /**
   * Where its server listens: `"host:port"`, `"http://host:port"`, `":port"` on this machine, or
   * `"unix:/path"`. With `"https://host:port"` the server is reached by TLS, and must prove by its
   * certificate that it is that host.
   */
  readonly to: string | Endpoint;
  /**
   * Starts of targets that always go to your server, even if the folder has such a file: `"/api/"`
   * covers everything below, `"/api"` also `/apis`. Compared with the path as sent, and with the
   * decoded path that the file look-up uses.
   *
   * @default {none}
   */
  readonly paths?: readonly string[] | undefined;
  /** Whether requests for missing files go to your server. @default {true} */
  readonly notFound?: boolean | undefined;
  /** Whether methods other than GET and HEAD go there; never CONNECT and TRACE. @default {true} */
  readonly methods?: boolean | undefined;
  /**
   * Sets X-Forwarded-For, -Host and -Proto. `"replace"` drops the client's own values, `"append"`
   * is for use behind a trusted proxy, `false` forwards all fields unchanged.
   *
   * @default {"replace"}
   */
  readonly forwarded?: Forwarding | undefined;
  /**
   * Whether to add a `Via` field to forwarded requests, as RFC 9110, 7.6.3 requires. Some servers
   * then change their responses: nginx sends no gzip (`gzip_proxied`).
   *
   * @default {true}
   */
  readonly via?: boolean | undefined;
  /**
   * Whether your server may name a file to send instead of its response:
   * `X-Accel-Redirect: /a/b.pdf` names a file below the root, as a request target. A path such as
   * `"/private/"` allows only files below it. Your server can then send every file that this server
   * may read, including those that `paths` hides from clients.
   *
   * @default {false}
   */
  readonly accel?: boolean | string | undefined;
  /**
   * Most idle connections to your server that each thread keeps for later requests, for 4 s; 0 for a
   * new connection per request. From 0 to 1024. Only GET requests without a body share connections.
   * A connection ends after a response that is not framed by Content-Length or chunks, was not
   * complete, or forbids it (`Connection: close`, HTTP/1.0). If your server closed an idle
   * connection, the request is repeated once on a new one, before any byte of a response. Programs
   * reached by HTTPS get a connection per request.
   *
   * @default {32}
   */
  readonly keepAlive?: number | undefined;
  /** Time for connecting, TLS included; then 504. @default {5000} */
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
  readonly via: boolean;
  readonly accel: Accel;
  readonly keepAlive: number;
  /** Required identity of the program; `null` if it is not reached by HTTPS. */
  readonly tls: ServerIdentity | null;
  readonly connectMs: number;
  readonly silenceMs: number;
}

/** Settings of a thread: plain data. */
export interface FallbackConfig extends Omit<FallbackChoice, "to" | "tls"> {
  readonly tls: DialTls | null;
  /** Where to connect to; tried in turn. */
  readonly addresses: readonly DialAddress[];
  /** Value of Host for requests that have none. */
  readonly host: string;
}

const ACTION = "pass requests on";

/** A day: longer waits are mistakes. */
const MOST_MS = 86_400_000;

/** Most idle connections of a thread. */
const MOST_KEPT = 1024;

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
  const { to } = options;
  const url = urlEndpoint(to);
  return {
    to: url?.to ?? parseEndpoint(to, "fallback"),
    tls: identityOf(options, url?.secure ? url.to.host : undefined),
    paths,
    notFound: flag(options.notFound ?? true, "notFound"),
    methods: flag(options.methods ?? true, "methods"),
    forwarded,
    via: flag(options.via ?? true, "via"),
    accel: accelOf(options.accel ?? false),
    keepAlive: kept(options.keepAlive ?? 32),
    connectMs: time(connectMs, "connectMs"),
    silenceMs: time(silenceMs, "silenceMs"),
  };
}

/** Looks the name up, for the threads. `context` is the `SSL_CTX` for a program that speaks TLS. */
export async function resolveFallback(
  { tls, to, ...rest }: FallbackChoice,
  context = 0n,
): Promise<FallbackConfig> {
  const addresses = dialAddresses(await resolveAll(to));
  return { ...rest, addresses, host: hostOf(to), tls: tls && { ...tls, context } };
}

/** Value of Host for a request that has none: the program's address. */
export function hostOf(to: Endpoint): string {
  if ("path" in to) return "localhost";
  const { host = "127.0.0.1", port } = to;
  // A zone has a meaning on this machine only (RFC 6874, 1).
  const name = host.replace(/%.*$/, "");
  return `${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/** A configuration whose addresses stay where they are in memory, and what a sandbox must allow. */
export interface PinnedFallback {
  readonly fallback: FallbackConfig | null;
  readonly needs: SandboxOptions;
}

/**
 * Moves the addresses of the fallback to memory that never moves. In a sandbox, connect(2) is allowed
 * only with a pointer to one of them: a seccomp filter compares pointers, but cannot read what they
 * point to.
 */
export function pinFallback(fallback: FallbackConfig | null): PinnedFallback {
  if (fallback === null) return { fallback, needs: {} };
  const pinned = fallback.addresses.map((each) => {
    const cell = new Cell(each.address.length);
    cell.bytes.set(each.address);
    return { cell, dial: { ...each, address: cell.bytes } };
  });
  const addresses = pinned.map(({ cell, dial }) => ({
    family: familyNumber(dial.family),
    pointer: cell.address,
  }));
  const { cell, dial: { family, address } } = pinned[0]!;
  // `struct sockaddr_in` and `sockaddr_in6` have the port in the same place, and all have the same.
  const needs = family === "Unix"
    ? { addresses, abstract: address[2] === 0 }
    : { addresses, port: cell.view.getUint16(2) };
  return { fallback: { ...fallback, addresses: pinned.map(({ dial }) => dial) }, needs };
}

/** A path is decoded, as those are that it is compared with. */
function accelOf(value: Accel): Accel {
  if (typeof value === "boolean") return value;
  const valid = typeof value === "string" && value[0] === "/" && value.endsWith("/");
  const path = valid ? lookedUpPath(value) : undefined;
  if (path?.endsWith("/")) return path;
  throw new TypeError(`Cannot ${ACTION}: fallback.accel must be true, false or a path "/.../"`);
}

function flag(value: boolean, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot ${ACTION}: fallback.${name} must be true or false`);
}

function kept(value: number): number {
  wholeNumber(value, "fallback.keepAlive", ACTION);
  if (value >= 0 && value <= MOST_KEPT) return value;
  throw new RangeError(
    `Cannot ${ACTION}: fallback.keepAlive is ${value}, not in 0..${MOST_KEPT} connections`,
  );
}

function time(value: number, name: string): number {
  wholeNumber(value, `fallback.${name}`, ACTION);
  if (value >= 1 && value <= MOST_MS) return value;
  throw new RangeError(`Cannot ${ACTION}: fallback.${name} is ${value}, not in 1..${MOST_MS}`);
}
