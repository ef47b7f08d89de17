/** Counts lines and adds numbers in bytes that come in pieces of any length. @module */

const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

/** Counts the lines that contain a text, as `grep -c -F` does. */
export class LineCounter {
  /** Lines found so far. */
  count = 0;
  readonly #needle: Buffer;
  /** Whether the current line is counted already. */
  #counted = false;
  /** End of the bytes seen so far: a match may begin there. */
  #tail = NOTHING;

  constructor(text: string) {
    if (text === "" || text.includes("\n")) {
      throw new RangeError("Cannot look for an empty text, or for more than one line");
    }
    this.#needle = Buffer.from(text);
  }

  push(bytes: Buffer): void {
    const needle = this.#needle;
    let from = 0;
    if (this.#counted) from = this.#endOfLine(bytes, 0);
    else {
      const seam = Buffer.concat([this.#tail, bytes.subarray(0, needle.length - 1)]);
      const at = seam.indexOf(needle);
      if (at >= 0) from = this.#found(bytes, at + needle.length - this.#tail.length);
    }
    for (let at; from < bytes.length && (at = bytes.indexOf(needle, from)) >= 0;) {
      from = this.#found(bytes, at + needle.length);
    }
    if (!this.#counted) this.#keepTail(bytes, from);
  }

  #found(bytes: Buffer, after: number): number {
    this.count++;
    this.#counted = true;
    return this.#endOfLine(bytes, after);
  }

  /** Returns the offset of the next line. */
  #endOfLine(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(NEWLINE, from);
    this.#tail = NOTHING;
    if (end < 0) return bytes.length;
    this.#counted = false;
    return end + 1;
  }

  #keepTail(bytes: Buffer, from: number): void {
    const length = this.#needle.length - 1;
    const rest = bytes.subarray(Math.max(from, bytes.length - length));
    // A copy: a view of the file would show what is there later.
    const all = Buffer.concat([this.#tail, rest]);
    this.#tail = all.subarray(Math.max(0, all.length - length));
  }
}

/** Numbers whose sum surely fits into a double without rounding. */
const EXACT = 1 << 20;

/** Adds up bytes as little-endian numbers of 32 bits; the last one is filled up with zeros. */
export class Adder {
  #sum = 0n;
  /** Bytes of an incomplete number. */
  #rest = NOTHING;

  push(bytes: Buffer): void {
    let from = 0;
    if (this.#rest.length > 0) {
      from = Math.min(4 - this.#rest.length, bytes.length);
      this.#rest = Buffer.concat([this.#rest, bytes.subarray(0, from)]);
      if (this.#rest.length < 4) return;
      this.#sum += BigInt(this.#rest.readUInt32LE());
      this.#rest = NOTHING;
    }
    const length = (bytes.length - from) & ~3;
    this.#add(bytes.subarray(from, from + length));
    this.#rest = Buffer.from(bytes.subarray(from + length));
  }

  get sum(): bigint {
    const last = Buffer.alloc(4);
    this.#rest.copy(last);
    return this.#sum + BigInt(last.readUInt32LE());
  }

  #add(bytes: Buffer): void {
    // An array of numbers must begin at a multiple of their size.
    const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : Buffer.from(bytes);
    const numbers = new Uint32Array(buffer, byteOffset, length / 4);
    for (let from = 0; from < numbers.length; from += EXACT) {
      const end = Math.min(from + EXACT, numbers.length);
      let sum = 0;
      for (let i = from; i < end; i++) sum += numbers[i]!;
      this.#sum += BigInt(sum);
    }
  }
}
