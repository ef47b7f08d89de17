/** Sources of certificates and keys: files, or PEM text in memory. @module */

import { addressOf } from "../../../ffi/libc/mod.ts";
import { guardsPaths } from "../../../ffi/mod.ts";
import { isBytes } from "../../bytes.ts";
import { builtin } from "../../builtins.ts";
import { describe } from "../../options.ts";
import { errnoName } from "../../errors.ts";
import { CertificateError } from "../errors.ts";
import { calls } from "../library.ts";
import { Lib, takeErrors } from "../openssl_errors.ts";

/** A path, a `file:` URL, PEM text (which contains `-----BEGIN`), or the bytes of such a text. */
export type PemSource = string | URL | Uint8Array;

/** A checked source. */
export interface Pem {
  /** Purpose, to follow "Cannot use the", such as `"certificate"`. */
  readonly what: string;
  /** The path in quotes, or the name of the option. */
  readonly label: string;
  /** The path; `undefined` if the text itself was passed. */
  readonly path: string | undefined;
  /** The text; `undefined` for a file. */
  readonly bytes: Uint8Array | undefined;
}

const BEGIN = "-----BEGIN";
const encoder = new TextEncoder();
const READ_ONLY = encoder.encode("r\0");

/** Checks a source. `option` is its name, such as `"tls.key"`. Opens nothing. */
export function pemOf(source: unknown, what: string, option: string): Pem {
  if (isBytes(source)) return { what, label: option, path: undefined, bytes: source };
  if (source instanceof URL) {
    const path = builtin("url").fileURLToPath(source);
    return { what, label: `"${path}"`, path, bytes: undefined };
  }
  if (typeof source !== "string" || source === "") {
    throw new TypeError(
      `Cannot serve HTTPS: ${option} must be a path, a URL or PEM text, not ${describe(source)}`,
    );
  }
  if (source.includes(BEGIN)) {
    return { what, label: option, path: undefined, bytes: encoder.encode(source) };
  }
  const path = builtin("path").resolve(source);
  return { what, label: `"${path}"`, path, bytes: undefined };
}

/** Builds the error for a source. */
export function unusable({ what, label, path }: Pem, reason: string, cause?: unknown): Error {
  const options = cause === undefined ? {} : { cause };
  const error = new CertificateError({ what, file: label, reason, ...options });
  return Object.assign(error, { file: path ?? label });
}

/**
 * Reads a source by `read`, which gets a BIO of OpenSSL. OpenSSL opens a file itself, so that a
 * private key never enters JavaScript. If the runtime restricts paths by permissions, only the
 * runtime may open it.
 *
 * @throws {CertificateError} When the file cannot be read.
 */
export function withBio<T>(pem: Pem, read: (bio: bigint) => T): T {
  const bio = open(pem);
  try {
    return read(bio);
  } finally {
    calls().BIO_free(bio);
  }
}

function open(pem: Pem): bigint {
  const { bytes, path } = pem;
  if (bytes !== undefined) return memory(pem, bytes);
  const fs = builtin("fs");
  try {
    if (guardsPaths()) {
      const content = fs.readFileSync(path!);
      try {
        return memory(pem, content);
      } finally {
        content.fill(0);
      }
    }
    // Not accessSync(): on Deno, it needs another permission.
    if (fs.statSync(path!).isDirectory()) throw new Error("it is a directory");
  } catch (cause) {
    throw unusable(pem, readable(cause as Error));
  }
  const ssl = calls();
  ssl.ERR_clear_error();
  const bio = BigInt(ssl.BIO_new_file(encoder.encode(`${path}\0`), READ_ONLY));
  if (bio !== 0n) return bio;
  const error = takeErrors().find(({ lib }) => lib === Lib.SYSTEM);
  throw unusable(
    pem,
    error === undefined
      ? "it cannot be opened"
      : `${errnoName(error.reason)}: ${error.text.toLowerCase()}`,
  );
}

/** Shortens "ENOENT: no such file or directory, access '/x'" by the call and the path. */
function readable({ message }: Error): string {
  return message.replace(/, \w+ '.*$/s, "").split("\n", 1)[0]!;
}

/** A BIO with a copy of the bytes, which it wipes when freed. */
function memory(pem: Pem, bytes: Uint8Array): bigint {
  if (bytes.length === 0) throw unusable(pem, "it is empty");
  const ssl = calls();
  const bio = BigInt(ssl.BIO_new(BigInt(ssl.BIO_s_mem())));
  if (bio === 0n) throw unusable(pem, "out of memory");
  ssl.BIO_write(bio, addressOf(bytes), bytes.length);
  return bio;
}
