/** Who an HTTPS server must prove to be, and what is wrong when it does not. @module */

import { parseIpv4, parseIpv6 } from "../../sys/net/ip.ts";
import type { Pem } from "../certificate/pem_source.ts";

/** Who the server must be. */
export interface ServerIdentity {
  /** Name or address that the certificate must be for; a name is asked for by SNI. */
  readonly serverName: string;
  /** Who may have signed the certificate; `null` for those that the system trusts. */
  readonly ca: Pem | null;
  /** Whether the certificate is verified. */
  readonly verify: boolean;
}

/** Whether a server is named by its address, which is not sent as a name: RFC 6066, 3. */
export function isAddress(name: string): boolean {
  return parseIpv4(name) !== undefined || parseIpv6(name) !== undefined;
}

/** Words of OpenSSL, Node.js, Bun and Deno for one fault. */
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

/** Says in the same words on every runtime what is wrong with a server. */
export function identityFault(text: string, { serverName }: ServerIdentity): string {
  const known = FAULTS.find(([pattern]) => pattern.test(text));
  const [, words] = known ?? [];
  return words === undefined ? text : words(serverName);
}
