/** Reads the headers of TLS records in a stream of bytes. @module */

/** Bytes of a header: type, version and length (RFC 8446, section 5.1). */
const HEADER_BYTES = 5;

/** Calls back for each record that begins in the bytes pushed so far. */
export class RecordReader {
  readonly #begins: (type: number, length: number) => void;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #known = 0;
  #left = 0;

  /** @param begins Takes the type on the wire, and the length after the header. */
  constructor(begins: (type: number, length: number) => void) {
    this.#begins = begins;
  }

  /** Whether the last record is complete. */
  get whole(): boolean {
    return this.#left === 0 && this.#known === 0;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      const header = this.#header;
      header[this.#known++] = bytes[at++]!;
      if (this.#known < HEADER_BYTES) continue;
      this.#known = 0;
      this.#left = header[3]! << 8 | header[4]!;
      this.#begins(header[0]!, this.#left);
    }
  }
}
