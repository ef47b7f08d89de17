/** Where this system keeps the certificates of the authorities that it trusts. @module */

import { setting } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";
import { UnsupportedError } from "../../errors.ts";

/** One file each; a folder of links is not enough, because a sandbox forbids to open them later. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Red Hat 7 and later
  "/etc/ssl/ca-bundle.pem", // openSUSE
  "/etc/ssl/cert.pem", // Alpine, macOS, FreeBSD
];

/**
 * Path of the file with the authorities that this system trusts; `SSL_CERT_FILE` names another one.
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
      // Another system has another place.
    }
  }
  throw new UnsupportedError({
    action: "verify the certificate of an HTTPS server",
    reason:
      "no list of trusted authorities was found; install `ca-certificates`, or name a file by " +
      "`fallback.ca` or the environment variable SSL_CERT_FILE",
  });
}
