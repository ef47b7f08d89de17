/** Keeps a response to the length that its head promises. @module */

import type { ServerResponse } from "node:http";
import { errnoNumber, SyscallError } from "../../../errors.ts";
import { contentLength, cutOff, hasBody, isBegun } from "../../../runtime/response.ts";
import type { Sink } from "./sink_types.ts";

/**
 * Compares a body with the Content-Length of its response. `node:http` does not, by default: the peer
 * takes surplus bytes for the next response, or the next response for missing bytes.
 */
export class PromisedLength {
  readonly #response: ServerResponse;
  /** Whether the program may have written a part of the body before. */
  readonly #begun: boolean;
  #moved = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#begun = isBegun(response);
  }

  /**
   * Checks a body whose length is known, before its first byte.
   *
   * @throws {SyscallError} `EMSGSIZE` when the head promises another length.
   */
  expect(length: number): void {
    const promised = this.#promised();
    if (promised === undefined) return;
    if (length > promised || length < promised && !this.#begun) throw this.#error(length, promised);
  }

  /**
   * Counts bytes that are about to be written.
   *
   * @throws {SyscallError} `EMSGSIZE` when they are too many. A response that has begun is cut off.
   */
  add(count: number): void {
    const promised = this.#promised();
    if (promised !== undefined && this.#moved + count > promised) {
      throw this.#broken(this.#moved + count, promised);
    }
    this.#moved += count;
  }

  /**
   * Checks a body that is complete.
   *
   * @throws {SyscallError} `EMSGSIZE` when bytes are missing. A response that has begun is cut off.
   */
  end(): void {
    const promised = this.#promised();
    if (promised === undefined || this.#begun || this.#moved >= promised) return;
    throw this.#broken(this.#moved, promised);
  }

  #promised(): number | undefined {
    // A response that has ended refuses the write itself.
    const open = !this.#response.writableEnded && hasBody(this.#response);
    return open ? contentLength(this.#response) : undefined;
  }

  #broken(length: number, promised: number): SyscallError {
    if (this.#response.headersSent) cutOff(this.#response);
    return this.#error(length, promised);
  }

  #error(length: number, promised: number): SyscallError {
    return new SyscallError({
      syscall: "write",
      errno: errnoNumber("EMSGSIZE"),
      action: `send ${length} bytes in a response whose Content-Length is ${promised}`,
      bytesMoved: this.#moved,
    });
  }
}

/** A sink on a response that is held to its Content-Length; `flush()` is the end of the body. */
export function promisedSink(
  sink: Sink,
  promise: PromisedLength,
): Sink & { flush(): Promise<void> } {
  return {
    ...sink,
    // deno-lint-ignore require-await -- throws as a rejection
    async write(bytes) {
      promise.add(bytes.length);
      return sink.write(bytes);
    },
    // deno-lint-ignore require-await -- throws as a rejection
    async flush() {
      promise.end();
    },
  };
}
