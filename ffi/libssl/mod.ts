/**
 * OpenSSL: finds the library and binds it on first use.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { backend, runtime, setting } from "../mod.ts";
import { libraryName } from "../libc/mod.ts";
import { platform } from "../platform/mod.ts";
import type { Backend, Bound, Signature } from "../types.ts";
import { CRYPTO } from "./crypto.ts";
import { LOADER, Loader } from "./loader.ts";
import { SSL } from "./ssl.ts";

type Table = typeof SSL & typeof CRYPTO;
const TABLE: Table = { ...SSL, ...CRYPTO };

/** The bound functions. */
export type OpenSsl = Bound<Table>;

/** The OpenSSL library in use. */
export interface Libssl {
  readonly calls: OpenSsl;
  /** Name or path of the library; `null` for the OpenSSL that Node.js exports. */
  readonly path: string | null;
  /** The version text of the library, such as `"OpenSSL 3.0.19 27 Jan 2026"`. */
  readonly version: string;
  /** Address of an exported function, to pass to OpenSSL as a callback. */
  symbol(name: string): bigint;
  /** Copies a C string. */
  text(address: bigint): string;
}

/** Name under which distributions install OpenSSL 3. */
const LIBRARY = "libssl.so.3";

/** Value of `SLUICE_LIBSSL` that selects the functions that Node.js exports. */
const RUNTIME = "runtime";

/** OpenSSL_version(OPENSSL_VERSION) */
const VERSION = 0;

let found: Libssl | undefined;
let refusal: Error | undefined;
let chosen: string | null | undefined;
/** The versions of the libraries that were looked at. */
const versions = new Map<string | null, string>();

/**
 * Makes this thread use the library of the thread that made the contexts that both use. Call it
 * before {@linkcode libssl}.
 *
 * @param path {@linkcode Libssl.path} there.
 */
export function useLibssl(path: string | null): void {
  chosen = path;
}

/**
 * Returns OpenSSL. Binds it on the first call of each thread.
 *
 * @param encryptsHere Whether OpenSSL encrypts what is sent, and not the kernel; asked at most
 * once, and only where Node.js may have the faster library.
 * @throws {Error} When OpenSSL is missing; `message` lists the attempts. The answer is remembered:
 * no library appears while the process runs.
 */
export function libssl(encryptsHere: () => boolean = () => false): Libssl {
  if (found !== undefined) return found;
  if (refusal !== undefined) throw refusal;
  try {
    return found = find(encryptsHere);
  } catch (error) {
    refusal = error as Error;
    throw error;
  }
}

function find(encryptsHere: () => boolean): Libssl {
  if (platform.os !== "linux") throw new Error("sluice uses OpenSSL on Linux only");
  const ffi = backend();
  const loader = loaderOf(ffi);
  const failures: Error[] = [];
  for (const path of candidates(ffi, loader, encryptsHere)) {
    try {
      return open(ffi, loader, path);
    } catch (cause) {
      failures.push(cause as Error);
    }
  }
  throw new AggregateError(failures, failures.map(({ message }) => message).join("; "));
}

function loaderOf(ffi: Backend): Loader {
  const failures: unknown[] = [];
  // Before glibc 2.34, dlopen(3) was in a separate library.
  for (const library of [libraryName(), "libdl.so.2"]) {
    try {
      return new Loader(ffi.bind(library, LOADER), ffi);
    } catch (cause) {
      failures.push(cause);
    }
  }
  throw failures[0];
}

function candidates(
  ffi: Backend,
  loader: Loader,
  encryptsHere: () => boolean,
): (string | null)[] {
  if (chosen !== undefined) return [chosen];
  const wanted = setting("SLUICE_LIBSSL");
  if (wanted === RUNTIME) return [null];
  if (wanted !== undefined && wanted !== "") return [wanted];
  if (runtime().name !== "node") return [LIBRARY];
  // musl lacks RTLD_DEEPBIND, so the functions that Node.js exports would mix with the library's.
  const musl = /musl/.test(libraryName());
  if (musl) return loader.symbol(0n, "SSL_CTX_new") !== 0n ? [null] : [LIBRARY, null];
  const faster = hasWideAes() && !usesWideAes(ffi, loader, LIBRARY) &&
    usesWideAes(ffi, loader, null) && encryptsHere();
  return faster ? [null, LIBRARY] : [LIBRARY, null];
}

/** Whether the processor has the instructions by which OpenSSL 3.1 and later encrypt AES-GCM faster. */
function hasWideAes(): boolean {
  try {
    const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1")) ?? [];
    return ["avx512vl", "vaes", "vpclmulqdq"].every((flag) => flags.includes(` ${flag}`));
  } catch {
    return false;
  }
}

/** Whether a library is an OpenSSL with that code. */
function usesWideAes(ffi: Backend, loader: Loader, path: string | null): boolean {
  try {
    const version = versionOf(ffi, loader, path);
    return unfit(version) === undefined && !version.startsWith("OpenSSL 3.0.");
  } catch {
    return false;
  }
}

function versionOf(ffi: Backend, loader: Loader, path: string | null): string {
  const known = versions.get(path);
  if (known !== undefined) return known;
  const handle = path === null ? 0n : loader.open(path);
  if (loader.symbol(handle, "OpenSSL_version") === 0n) {
    throw new Error(`${nameOf(path)} exports no OpenSSL_version()`);
  }
  const first = ffi.bind(path, { OpenSSL_version: TABLE.OpenSSL_version });
  const version = loader.text(BigInt(first.OpenSSL_version(VERSION)));
  versions.set(path, version);
  return version;
}

function nameOf(path: string | null): string {
  return path ?? `the OpenSSL of ${runtime().name}`;
}

function open(ffi: Backend, loader: Loader, path: string | null): Libssl {
  const version = versionOf(ffi, loader, path);
  const reason = unfit(version);
  if (reason !== undefined) throw new Error(`${nameOf(path)} is ${version}: ${reason}`);
  const handle = path === null ? 0n : loader.open(path);
  const table: Record<string, Signature> = TABLE;
  const calls = ffi.bind(path, table) as unknown as OpenSsl;
  return {
    calls,
    path,
    version,
    symbol: (symbol) => loader.symbol(handle, symbol),
    text: (address) => loader.text(address),
  };
}

/** Reason why a library is unusable, by its version text; `undefined` if it is usable. */
export function unfit(version: string): string | undefined {
  if (/LibreSSL/i.test(version)) return "sluice needs OpenSSL, not LibreSSL";
  if (/BoringSSL|AWS-LC/i.test(version)) return "sluice needs OpenSSL, not BoringSSL";
  const major = /^OpenSSL (\d+)\./.exec(version)?.[1];
  if (major === undefined) return "sluice needs OpenSSL";
  return Number(major) < 3 ? "sluice needs OpenSSL 3.0 or later" : undefined;
}
