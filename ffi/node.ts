/** Backend for Node.js 26.9 and later, on the experimental `node:ffi`. @module */

import { CALLS } from "./node_calls.ts";
import type { Backend, Bound, CType, Signature } from "./types.ts";

type NodeFn = { arguments: string[]; return: string };
type Any = (...args: unknown[]) => unknown;

/** The part of `node:ffi` used here: only Node.js 26 ships types for it. */
export interface NodeFfi {
  dlopen(path: string | null, table: Record<string, NodeFn>): {
    functions: Record<string, Any>;
  };
  toArrayBuffer(address: bigint, length: number, copy: boolean): ArrayBuffer;
  getRawPointer(bytes: Uint8Array): bigint;
}

const NAMES: Record<CType | "void", string> = {
  void: "void",
  i32: "int32",
  u32: "uint32",
  i64: "int64",
  u64: "uint64",
  buffer: "buffer",
  address: "uint64",
};

/** Milliseconds that V8's compilers get at the end of a process or a Worker. */
const COMPILE_MS = 50;

/**
 * Waits until V8's own threads have compiled what they were compiling. Node.js 26 frees the
 * descriptions of foreign functions at its end while these threads may still read them: without this
 * wait, some programs end by SIGSEGV after their last line, most of all on a busy machine.
 */
export function letCompilersFinish(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, COMPILE_MS);
}

/**
 * Creates the backend from the `node:ffi` module.
 */
export function createBackend(ffi: NodeFfi): Backend {
  let direct: boolean | undefined;
  return {
    name: "node",
    bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S> {
      direct ??= pointersAreDirect(ffi);
      const frequent = direct ? CALLS : {};
      const spec: Record<string, NodeFn> = {};
      for (const [name, signature] of Object.entries(table)) {
        spec[name] = describe(signature, Object.hasOwn(frequent, name), direct);
      }
      const functions = { ...ffi.dlopen(path, spec).functions };
      for (const name of Object.keys(table)) {
        if (Object.hasOwn(frequent, name)) {
          functions[name] = frequent[name]!(functions[name]!) as Any;
        }
      }
      return functions as Bound<S>;
    },
    view(address, length) {
      return new Uint8Array(ffi.toArrayBuffer(address, length, false));
    },
    address(bytes) {
      // As in koffi.ts: bytes inside the V8 heap may move.
      void bytes.buffer;
      return ffi.getRawPointer(bytes);
    },
  };
}

/**
 * Whether Node.js calls functions that take only pointers without a wrapper, as 26.10 does and 26.12
 * does not: see node_calls.ts.
 */
export function pointersAreDirect(ffi: NodeFfi): boolean {
  const getpid = { arguments: ["pointer", "pointer"], return: "int32" };
  return String(ffi.dlopen(null, { getpid }).functions["getpid"]).includes("[native code]");
}

/** The signature for `node:ffi`; `frequent` ones are all pointers. */
function describe({ args, returns }: Signature, frequent: boolean, direct: boolean): NodeFn {
  const count = frequent ? Math.max(2, args.length) : 0;
  const pointers = direct && args.length > 1 &&
    args.every((type) => type === "address" || type === "u64");
  const types = count > 0 || pointers
    ? new Array(Math.max(count, args.length)).fill("pointer")
    : args.map((type) => NAMES[type]);
  return { arguments: types, return: NAMES[returns] };
}
