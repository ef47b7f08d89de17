/**
 * The contract between the portable code in `src/` and the four runtime backends in this folder.
 * This file uses no runtime API.
 *
 * @module
 */

/**
 * C types of a parameter. Named by width, so you need not know the size of `long` on the target.
 *
 * `buffer` borrows the memory of a typed array for one call; `address` is a raw machine address in
 * a `bigint`.
 */
export type CType = "i32" | "u32" | "i64" | "u64" | "buffer" | "address";

/** Signature of one C function. */
export interface Signature {
  readonly args: readonly CType[];
  readonly returns: "void" | "i32" | "i64";
}

/**
 * JavaScript value accepted for a C type. A zero-length `Uint8Array` may arrive as a null pointer.
 */
export type Arg<T extends CType> = T extends "i32" | "u32" ? number
  : T extends "buffer" ? Uint8Array | null
  : bigint;

/**
 * JavaScript value returned for a C type.
 *
 * An `i64` is exact, but its JavaScript type depends on the backend. koffi and Bun return a
 * `number` for safe integers and a `bigint` otherwise; the other two always return a `bigint`.
 * Convert counts with `Number()` and addresses with `BigInt()`; converting here would slow down
 * every call.
 */
export type Ret<T extends Signature["returns"]> = T extends "void" ? void
  : T extends "i32" ? number
  : number | bigint;

type Args<A extends readonly CType[]> = { -readonly [K in keyof A]: Arg<A[K]> };

/** Callable functions for a table of signatures. */
export type Bound<S extends Record<string, Signature>> = {
  readonly [K in keyof S]: (...args: Args<S[K]["args"]>) => Ret<S[K]["returns"]>;
};

/** The functions that a runtime must provide for the library. */
export interface Backend {
  /** Short, stable name, for diagnostics and for skipping tests. */
  readonly name: "bun" | "deno" | "node" | "koffi";

  /**
   * Opens `path` and binds every symbol of `table`; throws if one is missing. `null` means the
   * program itself. Only Node.js supports that; it exports its own OpenSSL.
   */
  bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S>;

  /**
   * Shows `length` bytes at `address` as a `Uint8Array`, without a copy.
   *
   * The view does not keep the memory alive: reading it after the memory is unmapped crashes the
   * process. Bun throws above 4 GiB.
   */
  view(address: bigint, length: number): Uint8Array<ArrayBuffer>;

  /**
   * Returns the address of the first byte of `bytes`.
   *
   * The address is valid only while the array is referenced and not detached. If you store the
   * address, store the array beside it, or the collector reuses the memory.
   */
  address(bytes: Uint8Array): bigint;
}
