/**
 * Pieces of memory: what they are, and putting them together.
 *
 * A caller's array is asked here, and by the engine's own getters, for everything that decides how many
 * bytes a system call touches: a subclass, or a property that somebody defined on the array, may answer
 * anything, and something else each time.
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

/** Bytes that an array really has. */
export function sizeOf(bytes: Uint8Array): number {
  return getLength.call(bytes);
}

/** Whether something is an array of bytes, of whatever realm. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return getKind.call(value) === "Uint8Array";
}

/** As above, and as long as it says: whoever lies about that is told so. */
export function isBytes(value: unknown): value is Uint8Array {
  return isUint8Array(value) && value.length === sizeOf(value);
}

/**
 * Shows the memory of a caller's array in an array of our own, whose properties nobody else defines.
 *
 * @param bytes An array that {@linkcode isBytes}.
 */
export function ownBytes(bytes: Uint8Array): Checked<Uint8Array<ArrayBuffer>> {
  const length = getLength.call(bytes);
  // No array can be made of a buffer that was transferred away.
  const own = length === 0
    ? new Uint8Array(0)
    : new Uint8Array(getBuffer.call(bytes), getOffset.call(bytes), length);
  return own as Checked<Uint8Array<ArrayBuffer>>;
}

/** Whether a buffer shows as many bytes as it did when it was made: nobody has taken them away. */
export function isWhole(buffer: ArrayBuffer, length: number): boolean {
  return getByteLength.call(buffer) === length;
}

/**
 * Empties a buffer, and every array that shows it. False when that is not possible: Bun keeps one that the
 * runtime is using, and nobody empties one that was marked as not to be transferred.
 */
export function emptied(buffer: ArrayBuffer): boolean {
  try {
    transfer.call(buffer, 0);
  } catch {
    // So marked.
  }
  return isWhole(buffer, 0);
}

/** All bytes in one array; a single piece is that array itself. */
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
