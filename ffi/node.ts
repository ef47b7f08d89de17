/** Backend for Node.js 26.9 and later, on the experimental `node:ffi`. @module */

import type { Backend, Bound, CType, Signature } from "./types.ts";

type NodeFn = { arguments: string[]; return: string };

/** The part of `node:ffi` used here: only Node.js 26 ships types for it. */
interface NodeFfi {
  dlopen(path: string | null, table: Record<string, NodeFn>): {
    functions: Record<string, (...args: unknown[]) => unknown>;
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
 *
 * Node.js 26.10 puts a wrapper around each function, of which there is one per number of arguments. As
 * it calls many functions, V8 does not compile their fast calls into it; with four arguments or more it
 * collects them in an array and calls by `Reflect.apply`. A call then costs 0.3 to 0.5 microseconds
 * more than with koffi. sendmsg(2), recvmsg(2), read(2) and write(2), with three arguments, are no
 * faster than sendto(2) and recvfrom(2) with six (measured on a socket pair).
 */
export function createBackend(ffi: NodeFfi): Backend {
  return {
    name: "node",
    bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S> {
      const spec: Record<string, NodeFn> = {};
      for (const [name, { args, returns }] of Object.entries(table)) {
        spec[name] = { arguments: args.map((t) => NAMES[t]), return: NAMES[returns] };
      }
      return ffi.dlopen(path, spec).functions as Bound<S>;
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
