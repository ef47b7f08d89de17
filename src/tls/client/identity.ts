/** The identity that an HTTPS server must prove, and the errors if it does not. @module */

import { parseIpv4, parseIpv6 } from "../../sys/net/ip.ts";
import type { Pem } from "../certificate/pem_source.ts";

/** The required identity of a server. */
export interface ServerIdentity {
  /** Name or address that the certificate must contain; a name is also sent by SNI. */
  readonly serverName: string;
  /** Authorities that may sign the certificate; `null` for those that the system trusts. */
  readonly ca: Pem | null;
  /** Whether the certificate is verified. */
  readonly verify: boolean;
}

/** Whether a server is identified by an address, which SNI does not allow: RFC 6066, 3. */
export function isAddress(name: string): boolean {
  return parseIpv4(name) !== undefined || parseIpv6(name) !== undefined;
}

/** What OpenSSL, Node.js, Bun and Deno call each problem. */
const FAULTS: readonly (readonly [RegExp, (name: string) => string])[] = [
  [/not (?:yet )?valid.?yet|NotValidYet/i, () => "its certificate is not valid yet"],
  [/expired/i, () => "its certificate has expired"],
  [
    /hostname.mismatch|address.mismatch|ALTNAME_INVALID|NotValidForName/i,
    (name) => `its certificate is not for ${name}`,
  ],
  [
    /self.signed|local.issuer|ISSUER_CERT|UnknownIssuer|VERIFY_LEAF|first certificate|CaUsedAsEndEntity/i,
    () => "the issuer of its certificate is not trusted",
  ],
  [/revoked/i, () => "its certificate was revoked"],
];

/** Describes the problem in the same words on every runtime. */
export function identityFault(text: string, { serverName }: ServerIdentity): string {
  const known = FAULTS.find(([pattern]) => pattern.test(text));
  const [, words] = known ?? [];
  return words === undefined ? text : words(serverName);
}
