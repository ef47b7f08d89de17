/**
 * The contract between the portable code in `src/` and the four runtime backends in this folder.
 * Nothing here touches a runtime.
 *
 * @module
 */

/**
 * C types of a parameter, named by width so that no reader has to know what `long` is on the target.
 *
 * `buffer` borrows the memory of a typed array for one call only; `address` is a raw machine
 * address carried as a `bigint`.
 */
export type CType = "i32" | "u32" | "i64" | "u64" | "buffer" | "address";

/** Signature of one C function. */
export interface Signature {
  readonly args: readonly CType[];
  readonly returns: "void" | "i32" | "i64";
}

/** JavaScript value accepted for one C type. A zero-length `Uint8Array` may arrive as a null pointer. */
export type Arg<T extends CType> = T extends "i32" | "u32" ? number
  : T extends "buffer" ? Uint8Array | null
  : bigint;

/**
 * JavaScript value produced by one C return type.
 *
 * An `i64` is exact, but its kind is the backend's own: koffi and Bun hand out a `number` where it
 * is a safe integer and a `bigint` elsewhere, the other two always a `bigint`. Counts go through
 * `Number()`, addresses through `BigInt()`; a conversion here would cost every call.
 */
export type Ret<T extends Signature["returns"]> = T extends "void" ? void
  : T extends "i32" ? number
  : number | bigint;

type Args<A extends readonly CType[]> = { -readonly [K in keyof A]: Arg<A[K]> };

/** Callable table produced from a table of signatures. */
export type Bound<S extends Record<string, Signature>> = {
  readonly [K in keyof S]: (...args: Args<S[K]["args"]>) => Ret<S[K]["returns"]>;
};

/** What a runtime must offer for the library to run on it. */
export interface Backend {
  /** Short stable name, for diagnostics and for skipping tests. */
  readonly name: "bun" | "deno" | "node" | "koffi";

  /**
   * Opens `path` and binds every symbol of `table`; throws when one is missing. `null` is the program
   * itself, which only Node.js can open: it exports its own OpenSSL.
   */
  bind<const S extends Record<string, Signature>>(path: string | null, table: S): Bound<S>;

  /**
   * Shows `length` bytes at `address` as a `Uint8Array`, without a copy.
   *
   * The view does not keep the memory alive: reading it after the memory is unmapped crashes the
   * process. At most 4 GiB on Bun, where a longer one throws.
   */
  view(address: bigint, length: number): Uint8Array<ArrayBuffer>;

  /**
   * Returns the address of the first byte of `bytes`.
   *
   * Holds only while the array is referenced and not detached: whoever stores the address must
   * store the array beside it, or the collector hands the memory to somebody else.
   */
  address(bytes: Uint8Array): bigint;
}
