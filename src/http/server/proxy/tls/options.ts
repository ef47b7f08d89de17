/** A program that is reached by HTTPS: how it is named, and who it must prove to be. @module */

import { describe } from "../../../../options.ts";
import { type Endpoint, parseEndpoint } from "../../../../move/relay/endpoint.ts";
import { pemOf, type PemSource } from "../../../../tls/certificate/pem_source.ts";
import { isAddress, type ServerIdentity } from "../../../../tls/client/identity.ts";

/** For a program that is reached by HTTPS. The names are those of `node:tls`. */
export interface FallbackTlsOptions {
  /**
   * Authorities that may sign the program's certificate: a path, a `file:` URL or PEM text.
   *
   * @default {those that the system trusts}
   */
  readonly ca?: PemSource | undefined;
  /** Name that the certificate must be for, and that is asked for by SNI. @default {the host of `to`} */
  readonly servername?: string | undefined;
  /** Whether to verify the certificate; if not, any server can answer. @default {true} */
  readonly rejectUnauthorized?: boolean | undefined;
}

const ACTION = "pass requests on";

/** A program that is named by a URL. */
export interface UrlEndpoint {
  readonly secure: boolean;
  readonly to: Endpoint & { readonly host: string };
}

/** Reads `"http://host:port"` or `"https://host:port"`; `null` for any other form. */
export function urlEndpoint(to: unknown): UrlEndpoint | null {
  const [, scheme = "", place = ""] = /^(https?):\/\/(.*?)\/?$/is.exec(String(to)) ?? [];
  if (typeof to !== "string" || scheme === "") return null;
  const secure = scheme.toLowerCase() === "https";
  const named = /:\d+$/.test(place) ? place : `${place}:${secure ? 443 : 80}`;
  if (/[/?#@]/.test(place)) {
    throw new TypeError(
      `Cannot ${ACTION} to ${describe(to)}: expected "${scheme}://host:port" without a path`,
    );
  }
  const endpoint = parseEndpoint(named, "fallback");
  if ("path" in endpoint || place === "" || place[0] === ":") {
    throw new TypeError(`Cannot ${ACTION} to ${describe(to)}: it names no host`);
  }
  return { secure, to: { ...endpoint, host: endpoint.host! } };
}

/** Checks the options. `host` is the program's; `undefined` if it is not reached by HTTPS. */
export function identityOf(
  { ca, rejectUnauthorized, servername }: FallbackTlsOptions,
  host: string | undefined,
): ServerIdentity | null {
  if (host === undefined) {
    for (const [name, value] of Object.entries({ ca, rejectUnauthorized, servername })) {
      if (value === undefined) continue;
      throw new TypeError(
        `Cannot ${ACTION}: fallback.${name} needs fallback.to to be "https://..."`,
      );
    }
    return null;
  }
  const verify = rejectUnauthorized ?? true;
  if (typeof verify !== "boolean") {
    throw new TypeError(`Cannot ${ACTION}: fallback.rejectUnauthorized must be true or false`);
  }
  const serverName = servername ?? host.replace(/%.*$/, "");
  const named = typeof servername === "string" && /^[\w.-]+$/.test(servername);
  if (servername !== undefined && (!named || isAddress(servername))) {
    throw new TypeError(
      `Cannot ${ACTION}: fallback.servername must be a host name, not ${describe(servername)}`,
    );
  }
  const authority = ca === undefined ? null : pemOf(ca, "certificate authority", "fallback.ca");
  return { serverName, ca: authority, verify };
}
