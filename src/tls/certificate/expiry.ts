/** Whether the peer's certificate is still valid when a session is resumed. @module */

import type { OpenSsl } from "../../../ffi/libssl/mod.ts";

/**
 * Whether the certificate that the peer has shown has expired by now. False without a certificate.
 *
 * OpenSSL verifies a certificate once, in the first handshake. The ticket carries it, and each resumed
 * session gets another ticket: without this check, a client could go on for ever.
 *
 * @param connection `SSL`, after its handshake.
 */
export function peerHasExpired(calls: OpenSsl, connection: bigint): boolean {
  const certificate = BigInt(calls.SSL_get1_peer_certificate(connection));
  if (certificate === 0n) return false;
  // Negative for a time that has passed, 0 for a malformed one.
  const order = calls.X509_cmp_current_time(BigInt(calls.X509_get0_notAfter(certificate)));
  calls.X509_free(certificate);
  return order <= 0;
}
