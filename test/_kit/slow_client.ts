/** A peer that reads as slowly as a test wants, with a small receive buffer. @module */

import assert from "node:assert/strict";
import { platform } from "../../ffi/platform/mod.ts";
import { errnoNumber } from "../../src/errors.ts";
import * as raw from "../../src/sys/raw/mod.ts";
import { loopback } from "./targets_descriptor.ts";

const { AF_INET, SOL_SOCKET, SO_RCVBUF } = platform.socket;
const { NONBLOCK, CLOEXEC } = platform.open;
const SOCK_STREAM = 1;

/**
 * A TCP client of its own: the runtimes read ahead of a paused stream. The kernel also lets the
 * buffer of an ordinary socket grow to megabytes, so that a stopped reader goes unnoticed for long.
 */
export class SlowClient {
  /** All chunks received. */
  readonly chunks: Buffer[] = [];
  /** Bytes received. */
  length = 0;
  /** Whether the server has closed or reset the connection. */
  over = false;
  #fd: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(port: number) {
    this.#fd = raw.socket(AF_INET, SOCK_STREAM | NONBLOCK | CLOEXEC, 0);
    assert.equal(raw.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUF, 16 * 1024), 0);
    assert.equal(raw.connect(this.#fd, loopback(port)), -errnoNumber("EINPROGRESS"));
  }

  /** Sends text once connected. */
  send(text: string): void {
    const result = raw.send(this.#fd, Buffer.from(text), 0);
    if (result < 0) setTimeout(() => this.send(text), 1);
  }

  /** Reads at most `count` bytes every `everyMs` milliseconds, until {@linkcode stop}. */
  read(count: number, everyMs: number): void {
    this.stop();
    this.#timer = setInterval(() => this.#receive(count), everyMs);
  }

  /** Stops reading; the connection stays open. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #receive(count: number): void {
    const bytes = Buffer.alloc(count);
    for (let left = count; left > 0;) {
      const got = raw.recv(this.#fd, bytes, 0);
      if (got === -errnoNumber("EAGAIN")) return;
      if (got <= 0) {
        this.over = true;
        return this.stop();
      }
      this.chunks.push(Buffer.from(bytes.subarray(0, got)));
      this.length += got;
      left -= got;
    }
  }

  close(): void {
    this.stop();
    if (this.#fd >= 0) raw.close(this.#fd);
    this.#fd = -1;
  }
}
