/** Backend for Bun, on `bun:ffi`. @module */

import type { Backend, Bound, CType, Signature } from "./types.ts";

type BunFn = { args: string[]; returns: string };

/** The part of `bun:ffi` used here; declared locally so that no global types leak to users. */
interface BunFfi {
  dlopen(path: string, table: Record<string, BunFn>): {
    symbols: Record<string, (...args: unknown[]) => unknown>;
  };
  toArrayBuffer(address: number, offset: number, length: number): ArrayBuffer;
  ptr(bytes: Uint8Array): number;
}

const ARGS: Record<CType, string> = {
  i32: "i32",
  u32: "u32",
  i64: "i64",
  u64: "u64",
  buffer: "ptr",
  address: "u64",
};

// i64_fast returns a number when it is exact, and so avoids allocating a bigint.
const RETURNS: Record<Signature["returns"], string> = { void: "void", i32: "i32", i64: "i64_fast" };

/** Creates the backend from the `bun:ffi` module. */
export function createBackend(ffi: BunFfi): Backend {
  return {
    name: "bun",
    bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S> {
      if (path === null) throw new Error("Cannot bind functions of the program itself on Bun");
      const spec: Record<string, BunFn> = {};
      for (const [name, { args, returns }] of Object.entries(table)) {
        spec[name] = { args: args.map((t) => ARGS[t]), returns: RETURNS[returns] };
      }
      return ffi.dlopen(path, spec).symbols as Bound<S>;
    },
    view(address, length) {
      // User addresses on Linux are below 2^47, so the double is exact.
      return new Uint8Array(ffi.toArrayBuffer(Number(address), 0, length));
    },
    address(bytes) {
      // JavaScriptCore moves the bytes of a short array on the first access to its buffer.
      void bytes.buffer;
      // An empty array has no address in Bun; C gets a length of 0 anyway.
      return BigInt(bytes.length === 0 ? 0 : ffi.ptr(bytes));
    },
  };
}
