/** Backend for Node.js on the `koffi` addon. @module */

import type { Backend, Bound, CType, Signature } from "./types.ts";

/** The part of koffi 3 used here; its own types are `any`. */
interface Koffi {
  load(path: string | null): {
    func(name: string, returns: string, args: string[]): (...args: unknown[]) => unknown;
  };
  view(address: bigint, length: number): ArrayBuffer;
  address(bytes: Uint8Array): bigint;
}

const NAMES: Record<CType | "void", string> = {
  void: "void",
  i32: "int32_t",
  u32: "uint32_t",
  i64: "int64_t",
  u64: "uint64_t",
  buffer: "void *",
  address: "uint64_t",
};

/** Creates the backend from the `koffi` module. */
export function createBackend(koffi: Koffi): Backend {
  return {
    name: "koffi",
    bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S> {
      const library = koffi.load(path);
      const bound: Record<string, (...args: unknown[]) => unknown> = {};
      for (const [name, { args, returns }] of Object.entries(table)) {
        bound[name] = library.func(name, NAMES[returns], args.map((t) => NAMES[t]));
      }
      return bound as Bound<S>;
    },
    view(address, length) {
      // Transfer the buffer. At exit, Node.js detaches the buffers that addons have created, and
      // aborts if one cannot be detached (`markAsUntransferable()`). It does not track transferred
      // ones.
      return new Uint8Array(koffi.view(address, length).transfer());
    },
    address(bytes) {
      // V8 keeps short arrays inside the heap, where the collector moves them; reading `buffer`
      // moves the bytes out first.
      void bytes.buffer;
      return BigInt(koffi.address(bytes));
    },
  };
}
