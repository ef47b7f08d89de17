/** `SSL_CTX` for our own connections to an HTTPS server. @module */

import { type Certificates, loadCertificates } from "../certificate/credential.ts";
import { pemOf } from "../certificate/pem_source.ts";
import { freeContext, newContext, refused } from "../context.ts";
import { calls } from "../library.ts";
import type { ServerIdentity } from "./identity.ts";
import { systemTrust } from "./trust.ts";

const SSL_VERIFY_PEER = 1;

/** "http/1.1" with its length before it: RFC 7301, 3.1. */
const PROTOCOLS = new TextEncoder().encode("\x08http/1.1");

/**
 * Creates a context that trusts the given authorities, or by default those of the system. Reads all
 * files at once, because a sandbox may forbid opening them later.
 *
 * @throws {CertificateError} When a file cannot be used.
 * @throws {UnsupportedError} Without OpenSSL.
 */
export function makeClientContext({ ca, verify }: ServerIdentity): bigint {
  const ssl = calls();
  const versions = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;
  const context = newContext(BigInt(ssl.TLS_client_method()), versions);
  try {
    if (ssl.SSL_CTX_set_alpn_protos(context, PROTOCOLS, PROTOCOLS.length) !== 0) {
      throw refused("offer HTTP/1.1 by ALPN");
    }
    if (!verify) return context;
    const trusted = loadCertificates(
      ca ?? pemOf(systemTrust(), "certificates that this system trusts", "fallback.ca"),
    );
    try {
      trust(context, trusted);
    } finally {
      trusted.free();
    }
    ssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, 0n);
    return context;
  } catch (error) {
    freeContext(context);
    throw error;
  }
}

function trust(context: bigint, { addresses }: Certificates): void {
  const ssl = calls();
  const store = BigInt(ssl.SSL_CTX_get_cert_store(context));
  for (const authority of addresses) {
    if (ssl.X509_STORE_add_cert(store, authority) !== 1) throw refused("trust an authority");
  }
}
