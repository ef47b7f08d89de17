/** Finds the TLS library and its features. @module */

import { type Libssl, libssl as find, type OpenSsl } from "../../ffi/libssl/mod.ts";
import { UnsupportedError } from "../errors.ts";
import { probeKernelTls } from "../probe/sockets.ts";

/** Control commands of a BIO: `openssl/bio.h`. */
const BIO_CTRL_SET_KTLS_TX_SEND_CTRL_MSG = 74;
const BIO_FLAGS_KTLS_TX_CTRL_MSG = 0x1000;
/** {@linkcode TlsLibrary.name} of the OpenSSL that Node.js exports. */
export const RUNTIME_LIBRARY = "runtime";

/** Any record type. */
const APPLICATION_DATA = 23n;

const REMEDY =
  "install OpenSSL 3: `apt install libssl3` on Debian and Ubuntu (libssl3t64 on newer " +
  "ones), `apk add libssl3` on Alpine, `dnf install openssl-libs` on Fedora; or name the library by " +
  "the environment variable SLUICE_LIBSSL";

/**
 * Returns OpenSSL.
 *
 * @throws {UnsupportedError} When it is missing; names the package to install.
 */
export function openssl(): Libssl {
  try {
    return find(() => probeKernelTls().state !== "works");
  } catch (cause) {
    throw new UnsupportedError({
      action: "serve HTTPS",
      reason: `no usable OpenSSL was found (${(cause as Error).message}); ${REMEDY}`,
      cause,
    });
  }
}

/** The bound functions of OpenSSL. */
export function calls(): OpenSsl {
  return openssl().calls;
}

/** The TLS library, and whether it can leave encryption to the kernel. */
export interface TlsLibrary {
  /** Name or path of the library; `"runtime"` for the OpenSSL that Node.js exports. */
  readonly name: string;
  /** Version text of the library, such as `"OpenSSL 3.0.19 27 Jan 2026"`. */
  readonly version: string;
  /** Whether the library was built with kernel TLS. The kernel needs it too. */
  readonly kernelTls: boolean;
}

/**
 * Describes the TLS library.
 *
 * @throws {UnsupportedError} As {@linkcode openssl}.
 */
export function tlsLibrary(): TlsLibrary {
  const { calls: ssl, path, version } = openssl();
  return { name: path ?? RUNTIME_LIBRARY, version, kernelTls: builtWithKernelTls(ssl) };
}

/**
 * Whether the library was built with kTLS: a socket BIO then has a flag that announces a control
 * message. Without kTLS, BIO_ctrl() ignores the command.
 */
function builtWithKernelTls(ssl: OpenSsl): boolean {
  const bio = BigInt(ssl.BIO_new(BigInt(ssl.BIO_s_socket())));
  if (bio === 0n) return false;
  ssl.BIO_ctrl(bio, BIO_CTRL_SET_KTLS_TX_SEND_CTRL_MSG, APPLICATION_DATA, 0n);
  const flags = ssl.BIO_test_flags(bio, BIO_FLAGS_KTLS_TX_CTRL_MSG);
  ssl.BIO_free(bio);
  return flags !== 0;
}
