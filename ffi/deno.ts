/** Backend for Deno, on `Deno.dlopen`. Needs `--allow-ffi` without a path. @module */

import type { Backend, Bound, CType, Signature } from "./types.ts";

type DenoFn = { parameters: string[]; result: string };

/**
 * The part of the `Deno` namespace used here; declared locally so that no global types leak to
 * users.
 */
interface DenoFfi {
  dlopen(path: string, table: Record<string, DenoFn>): {
    symbols: Record<string, (...args: unknown[]) => unknown>;
  };
  UnsafePointer: {
    create(address: bigint): object | null;
    of(bytes: Uint8Array): object | null;
    value(pointer: object | null): bigint;
  };
  UnsafePointerView: { getArrayBuffer(pointer: object, length: number): ArrayBuffer };
}

// Addresses are u64: Deno's "pointer" type returns an opaque object that must be unwrapped on every
// call.
const NAMES: Record<CType | "void", string> = {
  void: "void",
  i32: "i32",
  u32: "u32",
  i64: "i64",
  u64: "u64",
  buffer: "buffer",
  address: "u64",
};

/** Creates the backend from the `Deno` global. */
export function createBackend(deno: DenoFfi): Backend {
  return {
    name: "deno",
    bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S> {
      if (path === null) throw new Error("Cannot bind functions of the program itself on Deno");
      const spec: Record<string, DenoFn> = {};
      for (const [name, { args, returns }] of Object.entries(table)) {
        spec[name] = { parameters: args.map((t) => NAMES[t]), result: NAMES[returns] };
      }
      return deno.dlopen(path, spec).symbols as Bound<S>;
    },
    view(address, length) {
      const pointer = deno.UnsafePointer.create(address);
      if (pointer === null) throw new RangeError("Cannot view memory at the null address");
      return new Uint8Array(deno.UnsafePointerView.getArrayBuffer(pointer, length));
    },
    address(bytes) {
      return BigInt(deno.UnsafePointer.value(deno.UnsafePointer.of(bytes)));
    },
  };
}
