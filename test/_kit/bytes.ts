/** Files of known bytes, and the bytes that a peer has received. @module */

import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** Bytes that never repeat, the same in every run; another `seed` returns others. */
export function noise(length: number, seed = 0): Buffer {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

/** SHA-256, to compare without printing megabytes on failure. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Files in a temporary folder; {@linkcode Folder.remove} deletes it. */
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

/** Collects the bytes of a stream until it ends or fails. */
export class Reader {
  readonly stream: Readable;
  /** Bytes received. */
  length = 0;
  /** Settles once the stream is closed; tells whether it ended properly. */
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

  /** Waits for `length` bytes in total, or for the end, and returns the bytes received. */
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

  /** All bytes so far. */
  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Waits for as many bytes as `expected` has, and compares them. */
  async expect(expected: Uint8Array, what = ""): Promise<void> {
    const bytes = await this.take(expected.length);
    assert.equal(bytes.length, expected.length, `length ${what}`);
    if (!bytes.equals(expected)) {
      assert.equal(sha256(bytes), sha256(expected), `SHA-256 ${what}`);
    }
  }
}
