/**
 * Checks and joins arrays of bytes.
 *
 * The engine's own getters read everything that decides how many bytes a system call touches. A
 * subclass, or a property that a caller defines on the array, can return any value, and another one
 * at each read.
 *
 * @module
 */

import type { Checked } from "./checked.ts";

const { prototype: anyArray } = Object.getPrototypeOf(Uint8Array) as { prototype: Uint8Array };
const getLength = getter<Uint8Array, number>(anyArray, "length");
const getOffset = getter<Uint8Array, number>(anyArray, "byteOffset");
const getBuffer = getter<Uint8Array, ArrayBuffer>(anyArray, "buffer");
const getKind = getter<unknown, string | undefined>(anyArray, Symbol.toStringTag);
const getByteLength = getter<ArrayBuffer, number>(ArrayBuffer.prototype, "byteLength");
const { transfer } = ArrayBuffer.prototype;

function getter<T, R>(prototype: object, name: string | symbol): (this: T) => R {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as (this: T) => R;
}

/** Returns the true number of bytes in an array. */
export function sizeOf(bytes: Uint8Array): number {
  return getLength.call(bytes);
}

/** Whether a value is a `Uint8Array` of any realm. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return getKind.call(value) === "Uint8Array";
}

/** Whether a value is a `Uint8Array` whose `length` and `byteLength` are the true ones. */
export function isBytes(value: unknown): value is Uint8Array {
  return isUint8Array(value) && value.length === sizeOf(value);
}

/**
 * Returns a new array over the memory of a caller's array. Callers cannot define properties on it.
 *
 * @param bytes An array that passes {@linkcode isBytes}.
 */
export function ownBytes(bytes: Uint8Array): Checked<Uint8Array<ArrayBuffer>> {
  const length = getLength.call(bytes);
  // The constructor throws for a detached buffer.
  const own = length === 0
    ? new Uint8Array(0)
    : new Uint8Array(getBuffer.call(bytes), getOffset.call(bytes), length);
  return own as Checked<Uint8Array<ArrayBuffer>>;
}

/**
 * Returns a part of an array.
 *
 * @throws {TypeError} When the array has become shorter: its owner has detached or resized its buffer.
 */
export function partOf(bytes: Uint8Array, start: number, length: number): Uint8Array {
  if (getLength.call(bytes) >= start + length) return bytes.subarray(start, start + length);
  throw new TypeError("Cannot move bytes: the source has taken back the memory of its chunk");
}

/** Whether a buffer still has `length` bytes, and so has not been detached. */
export function isWhole(buffer: ArrayBuffer, length: number): boolean {
  return getByteLength.call(buffer) === length;
}

/**
 * Detaches a buffer, which empties every array over it. Returns false if that fails: Bun keeps a
 * buffer that the runtime is using, and some buffers are marked as not transferable.
 */
export function emptied(buffer: ArrayBuffer): boolean {
  try {
    transfer.call(buffer, 0);
  } catch {
    // Not transferable.
  }
  return isWhole(buffer, 0);
}

/** Joins pieces into one array. Returns a single piece as it is. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
