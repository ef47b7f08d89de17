/** Finds the certificates of the authorities that this system trusts. @module */

import { setting } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";
import { UnsupportedError } from "../../errors.ts";

/** Single files: a sandbox forbids opening the files of a folder later. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Red Hat 7 and later
  "/etc/ssl/ca-bundle.pem", // openSUSE
  "/etc/ssl/cert.pem", // Alpine, macOS, FreeBSD
];

/**
 * Returns the path of the file with the trusted authorities; `SSL_CERT_FILE` overrides it.
 *
 * @throws {UnsupportedError} When there is none.
 */
export function systemTrust(): string {
  const named = setting("SSL_CERT_FILE");
  if (named !== undefined && named !== "") return named;
  const { accessSync, constants } = builtin("fs");
  for (const path of BUNDLES) {
    try {
      accessSync(path, constants.R_OK);
      return path;
    } catch {
      // Other systems keep it elsewhere.
    }
  }
  throw new UnsupportedError({
    action: "verify the certificate of an HTTPS server",
    reason:
      "no list of trusted authorities was found; install `ca-certificates`, or name a file by " +
      "`fallback.ca` or the environment variable SSL_CERT_FILE",
  });
}
