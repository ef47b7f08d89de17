/**
 * Reads model weights in the safetensors format: 8 bytes with the length of a header, a JSON header
 * with the type, shape and offsets of each tensor, then the data.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { MappedFile } from "../../src/mod.ts";

/** One tensor. */
export interface Tensor {
  readonly shape: readonly number[];
  /** The numbers, as a view of the file. */
  readonly data: Float32Array<ArrayBuffer>;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Most bytes of a plausible header. */
const MOST_HEADER = 100_000_000;

/** The tensors of a file. Disposing it empties all of them. */
export class Weights implements Disposable {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #map: MappedFile;

  /** Maps a file, and reads only its header. */
  constructor(path: string) {
    this.#map = MappedFile.open(path);
    try {
      this.tensors = new Map(parse(this.#map));
    } catch (error) {
      this.#map.close();
      throw error;
    }
  }

  /** Size of the file in bytes. */
  get length(): number {
    return this.#map.length;
  }

  /** Unmaps the file. */
  [Symbol.dispose](): void {
    this.#map.close();
  }
}

function* parse(map: MappedFile): Generator<[string, Tensor]> {
  const length = Number(new DataView(map.read(0, 8).buffer).getBigUint64(0, true));
  if (length > Math.min(MOST_HEADER, map.length - 8)) {
    throw new RangeError(`Cannot read a header of ${length} bytes: the file has ${map.length}`);
  }
  const header: Record<string, Entry> = JSON.parse(new TextDecoder().decode(map.read(8, length)));
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (dtype !== "F32") {
      throw new TypeError(`Cannot show "${name}": its type is ${dtype}, not F32`);
    }
    const bytes = map.view(8 + length + from, to - from);
    const aligned = bytes.byteOffset % 4 === 0;
    // The format pads its header for alignment. Copies the tensors of files that do not.
    const { buffer, byteOffset } = aligned ? bytes : bytes.slice();
    yield [name, { shape, data: new Float32Array(buffer, byteOffset, bytes.length / 4) }];
  }
}

/** Writes tensors of random numbers to a file. */
export function writeWeights(path: string, shapes: Record<string, readonly number[]>): void {
  const header: Record<string, Entry> = {};
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const numbers = Float32Array.from(
      { length: shape.reduce((product, size) => product * size, 1) },
      () => Math.random() - 0.5,
    );
    const bytes = new Uint8Array(numbers.buffer);
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + bytes.length] };
    chunks.push(bytes);
    at += bytes.length;
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, ...chunks]));
}
