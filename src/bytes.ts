/**
 * Pieces of memory: what they are, and putting them together.
 *
 * Whatever of an array or a buffer decides how many bytes a system call touches is asked here: a subclass,
 * or a property that somebody has defined on it, may say what it likes.
 *
 * @module
 */

const { prototype: anyArray } = Object.getPrototypeOf(Uint8Array) as { prototype: Uint8Array };
const getLength = getter<Uint8Array>(anyArray, "length");
const getByteLength = getter<ArrayBuffer>(ArrayBuffer.prototype, "byteLength");
const { transfer } = ArrayBuffer.prototype;

function getter<T>(prototype: T, name: keyof T): (this: T) => number {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as (this: T) => number;
}

/** Bytes that an array really has. */
export function sizeOf(bytes: Uint8Array): number {
  return getLength.call(bytes);
}

/** Whether something is an array of bytes, and as long as it says. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === sizeOf(value);
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
