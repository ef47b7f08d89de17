/** Files of known bytes, and what a peer has received. @module */

import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** Bytes that never repeat, the same in every run; another `seed` gives others. */
export function noise(length: number, seed = 0): Buffer {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

/** SHA-256, to compare without printing megabytes when it fails. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Files in a folder of their own; {@linkcode Folder.remove} deletes it. */
export class Folder {
  readonly path: string = mkdtempSync(join(tmpdir(), "sluice-"));
  #sequence = 0;

  /** Writes a file and returns its path. */
  file(bytes: Uint8Array | string, suffix = ""): string {
    const path = join(this.path, `${this.#sequence++}${suffix}`);
    writeFileSync(path, bytes);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Collects what a stream delivers, until its end or its failure. */
export class Reader {
  readonly stream: Readable;
  /** Bytes that have arrived. */
  length = 0;
  /** Settles once the stream is closed, in whatever way: tells whether it came to a proper end. */
  readonly closed: Promise<"end" | "cut">;
  readonly #chunks: Buffer[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(stream: Readable) {
    this.stream = stream;
    let ended = false;
    stream.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.length += chunk.length;
      this.#wake();
    });
    stream.on("error", () => {});
    this.closed = new Promise((resolve) => {
      stream.once("end", () => {
        ended = true;
        resolve("end");
        this.#wake();
      });
      stream.once("close", () => {
        resolve(ended ? "end" : "cut");
        this.#wake();
      });
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Waits for `length` bytes in all, or for the end, and returns what there is. */
  async take(length: number): Promise<Buffer> {
    while (this.length < length && !this.stream.destroyed && !this.stream.readableEnded) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
    return this.bytes();
  }

  /** Everything so far. */
  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Waits for as many bytes as `expected` has, and compares all that has arrived with it. */
  async expect(expected: Uint8Array, what = ""): Promise<void> {
    const bytes = await this.take(expected.length);
    assert.equal(bytes.length, expected.length, `length ${what}`);
    assert.equal(sha256(bytes), sha256(expected), `SHA-256 ${what}`);
  }
}
