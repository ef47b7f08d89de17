/** Backend for Node.js 26.9 and later, on the experimental `node:ffi`. @module */

import { CALLS } from "./node_calls.ts";
import type { Backend, Bound, CType, Signature } from "./types.ts";

type NodeFn = { arguments: string[]; return: string };
type Any = (...args: unknown[]) => unknown;

/** The part of `node:ffi` used here: only Node.js 26 ships types for it. */
interface NodeFfi {
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
  return {
    name: "node",
    bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S> {
      const spec: Record<string, NodeFn> = {};
      for (const [name, signature] of Object.entries(table)) spec[name] = describe(name, signature);
      const functions = { ...ffi.dlopen(path, spec).functions };
      for (const name of Object.keys(table)) {
        if (Object.hasOwn(CALLS, name)) functions[name] = CALLS[name]!(functions[name]!) as Any;
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

/** The signature for `node:ffi`: see node_calls.ts for those that are all pointers. */
function describe(name: string, { args, returns }: Signature): NodeFn {
  const count = Object.hasOwn(CALLS, name) ? Math.max(2, args.length) : 0;
  const pointers = args.length > 1 && args.every((type) => type === "address" || type === "u64");
  const types = count > 0 || pointers
    ? new Array(Math.max(count, args.length)).fill("pointer")
    : args.map((type) => NAMES[type]);
  return { arguments: types, return: NAMES[returns] };
}
