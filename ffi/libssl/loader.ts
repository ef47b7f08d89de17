/** The dynamic loader, for options that the backends' own library loading lacks. @module */

import type { Backend, Bound, Signature } from "../types.ts";

export const LOADER = {
  /** `void *dlopen(const char *path, int flags)` */
  dlopen: { args: ["buffer", "i32"], returns: "i64" },
  /** `void *dlsym(void *handle, const char *name)` */
  dlsym: { args: ["address", "buffer"], returns: "i64" },
  /** `char *dlerror(void)` */
  dlerror: { args: [], returns: "i64" },
} as const;

LOADER satisfies Record<string, Signature>;

const RTLD_NOW = 2;
/**
 * Makes the library prefer its own symbols to the program's. Node.js exports its own OpenSSL;
 * without this flag, libssl calls into it and SSL_CTX_new() returns NULL. musl ignores the flag.
 */
const RTLD_DEEPBIND = 8;

/** Maximum length of a text read from C memory, in bytes. */
const MOST_TEXT = 1024;

const encoder = new TextEncoder();

/** dlopen(3) and dlsym(3). */
export class Loader {
  readonly #calls: Bound<typeof LOADER>;
  readonly #ffi: Backend;

  /** Uses functions that are already bound. */
  constructor(calls: Bound<typeof LOADER>, ffi: Backend) {
    this.#calls = calls;
    this.#ffi = ffi;
  }

  /**
   * Loads a library that prefers its own symbols. A backend that opens it by the same name later
   * gets this instance. Never closed.
   */
  open(path: string): bigint {
    const handle = BigInt(
      this.#calls.dlopen(encoder.encode(`${path}\0`), RTLD_NOW | RTLD_DEEPBIND),
    );
    if (handle !== 0n) return handle;
    const error = BigInt(this.#calls.dlerror());
    throw new Error(error === 0n ? `cannot load ${path}` : this.text(error));
  }

  /** Address of a symbol; 0 if missing. Handle 0 means the whole program. */
  symbol(handle: bigint, name: string): bigint {
    return BigInt(this.#calls.dlsym(handle, encoder.encode(`${name}\0`)));
  }

  /** Copies the C string at `address`. */
  text(address: bigint): string {
    const bytes = this.#ffi.view(address, MOST_TEXT);
    let text = "";
    for (let at = 0; at < MOST_TEXT && bytes[at] !== 0; at++) {
      text += String.fromCharCode(bytes[at]!);
    }
    return text;
  }
}
