/** The key of a TLS 1.3 connection in the form that the kernel takes. @module */

import { builtin } from "../../builtins.ts";

/** A cipher suite that the kernel can encrypt. */
interface Suite {
  readonly hash: string;
  readonly keyBytes: number;
  /** `TLS_CIPHER_*` of `<linux/tls.h>`. */
  readonly kernelCipher: number;
}

/** By the names of OpenSSL. */
const SUITES: Readonly<Record<string, Suite>> = {
  TLS_AES_128_GCM_SHA256: { hash: "sha256", keyBytes: 16, kernelCipher: 51 },
  TLS_AES_256_GCM_SHA384: { hash: "sha384", keyBytes: 32, kernelCipher: 52 },
};

const TLS_1_3 = 0x0304;
/** Bytes of the nonce. The kernel calls the first 4 "salt" and the others "iv". */
const NONCE_BYTES = 12;
const SALT_BYTES = 4;
const SPACE = 0x20;
const LABEL = new TextEncoder().encode("SERVER_TRAFFIC_SECRET_0");

/** Returns whether the kernel can encrypt with this suite. */
export function isKernelSuite(name: string): boolean {
  return Object.hasOwn(SUITES, name);
}

/**
 * Returns the secret of a line of Node.js's `keylog` event (`LABEL RANDOM SECRET`, in hexadecimal),
 * if it is the server's traffic secret.
 *
 * It makes no strings, which cannot be erased.
 */
export function trafficSecret(line: Uint8Array): Uint8Array | undefined {
  if (!LABEL.every((byte, index) => line[index] === byte)) return undefined;
  if (line[LABEL.length] !== SPACE) return undefined;
  const start = line.lastIndexOf(SPACE) + 1;
  let end = start;
  while (digit(line[end]) >= 0) end++;
  const secret = new Uint8Array((end - start) >> 1);
  for (let index = 0; index < secret.length; index++) {
    const at = start + 2 * index;
    secret[index] = digit(line[at]) << 4 | digit(line[at + 1]);
  }
  return secret;
}

/** Value of a hexadecimal digit in ASCII, or -1. */
function digit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/**
 * Returns a `struct tls12_crypto_info_aes_gcm_128` or `_256` (`<linux/tls.h>`): the kernel's name for it
 * says 1.2, but it serves 1.3, too. The caller erases it.
 *
 * @param secret The server's traffic secret.
 * @param records Records already sent with this key: the number of the next one.
 */
export function cryptoInfo(name: string, secret: Uint8Array, records: number): Uint8Array {
  const { hash, keyBytes, kernelCipher } = SUITES[name]!;
  const info = new Uint8Array(4 + NONCE_BYTES - SALT_BYTES + keyBytes + SALT_BYTES + 8);
  new Uint16Array(info.buffer, 0, 2).set([TLS_1_3, kernelCipher]);
  const nonce = expand(hash, secret, "iv");
  const key = expand(hash, secret, "key");
  let at = 4;
  const put = (bytes: Uint8Array) => {
    info.set(bytes, at);
    at += bytes.length;
  };
  put(nonce.subarray(SALT_BYTES, NONCE_BYTES));
  put(key.subarray(0, keyBytes));
  put(nonce.subarray(0, SALT_BYTES));
  new DataView(info.buffer).setBigUint64(at, BigInt(records));
  nonce.fill(0);
  key.fill(0);
  return info;

  /** HKDF-Expand-Label (RFC 8446, section 7.1); one block of the hash is enough. */
  function expand(hash: string, secret: Uint8Array, label: "key" | "iv"): Uint8Array {
    const length = label === "key" ? keyBytes : NONCE_BYTES;
    const full = new TextEncoder().encode(`tls13 ${label}`);
    const request = Uint8Array.of(0, length, full.length, ...full, 0, 1);
    return builtin("crypto").createHmac(hash, secret).update(request).digest();
  }
}
