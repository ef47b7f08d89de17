/**
 * Detects whether servers can speak TLS here, by which library, and whether the kernel encrypts.
 * @module
 */

import { type Mechanism, unknown } from "../probe/attempt.ts";
import { RUNTIME_LIBRARY, type TlsLibrary, tlsLibrary } from "./library.ts";

/** Value of {@linkcode Capabilities.tls}; plain data. */
export interface TlsCapabilities {
  /**
   * Name or path of the TLS library, such as `"libssl.so.3"`; `"runtime"` for the OpenSSL that
   * Node.js exports; `null` without one.
   */
  readonly library: string | null;
  /** Version text of the library, such as `"OpenSSL 3.0.19 27 Jan 2026"`; `null` without one. */
  readonly version: string | null;
  /** Why no library can be used, and the remedy; `null` if one can. */
  readonly reason: string | null;
  /** Whether the kernel encrypts (kTLS), so that files also leave by sendfile(2) over HTTPS. */
  readonly kernelTls: Mechanism;
}

/**
 * Loads the TLS library and describes it. Never throws.
 *
 * @param kernel Whether the kernel can encrypt.
 */
export function probeTls(
  kernel: Mechanism,
  describe: () => TlsLibrary = tlsLibrary,
): TlsCapabilities {
  try {
    const { kernelTls, name: library, version } = describe();
    const both = kernelTls || kernel.state !== "works" ? kernel : builtWithout(library);
    return { library, version, reason: null, kernelTls: both };
  } catch (error) {
    const { message } = error as Error;
    const kernelTls = unknown("needs OpenSSL 3", "install OpenSSL 3");
    return { library: null, version: null, reason: message, kernelTls };
  }
}

/** The result without foreign calls: the runtime's own HTTPS server is used. */
export function untriedTls(reason: string): TlsCapabilities {
  const kernelTls = unknown("cannot be tried without foreign functions", reason);
  return { library: null, version: null, reason, kernelTls };
}

function builtWithout(library: string): Mechanism {
  const detail = library === RUNTIME_LIBRARY
    ? "the OpenSSL of Node.js is built without kTLS"
    : `${library} is built without kTLS`;
  const remedy = library === RUNTIME_LIBRARY
    ? "install the system's OpenSSL 3 (with glibc only), such as libssl3 on Debian"
    : "use an OpenSSL built with enable-ktls, such as Debian's";
  return { state: "missing", detail, remedy };
}
