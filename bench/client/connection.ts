/** One HTTP connection of a load generator, by raw system calls. @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../../src/sys/raw/mod.ts";

const { AF_INET, SOL_SOCKET, SO_RCVBUF } = platform.socket;
const { DONTWAIT, NOSIGNAL, TRUNC } = platform.message;
const EAGAIN = platform.errnoNames.indexOf("EAGAIN");
const SOCK_STREAM_CLOEXEC = 1 | platform.open.CLOEXEC;

/** Longest response head to accept. */
const HEAD_LIMIT = 4096;

const headBytes = new Uint8Array(HEAD_LIMIT);

/** Options of a connection. */
export interface ConnectOptions {
  readonly port: number;
  /** `SO_RCVBUF` in bytes, which the kernel doubles. By default, the kernel sizes the buffer. */
  readonly receiveBuffer?: number | undefined;
}

/** A connection to a server on 127.0.0.1, and the current response. */
export class Connection {
  readonly fd: number;
  /** Received bytes of the current response's body. */
  received = 0;
  /** Content-Length of the current response; -1 until the head is complete. */
  length = -1;
  #head = "";

  /** Connects. On loopback, this does not wait. */
  constructor({ port, receiveBuffer }: ConnectOptions) {
    this.fd = must("socket", raw.socket(AF_INET, SOCK_STREAM_CLOEXEC, 0));
    if (receiveBuffer !== undefined) {
      must("setsockopt", raw.setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer));
    }
    must("connect", raw.connect(this.fd, loopback(port)));
  }

  /** Requests a file. With `last`, asks the server to close the connection afterwards. */
  request(path: string, last: boolean): void {
    this.received = 0;
    this.length = -1;
    this.#head = "";
    const close = last ? "Connection: close\r\n" : "";
    const text = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`;
    must("send", raw.send(this.fd, new TextEncoder().encode(text), NOSIGNAL));
  }

  /**
   * Takes at most about `count` bytes that have arrived, and drops bodies inside the kernel.
   *
   * @returns The number of body bytes, or `"wait"`, or `"end"` if the server has closed the
   * connection.
   */
  discard(count: number): number | "wait" | "end" {
    if (this.length < 0) return this.#readHead();
    const result = raw.recvDiscard(this.fd, count, DONTWAIT | TRUNC);
    return result > 0 ? this.#took(result) : this.#nothing("recv", result);
  }

  /** Does the same, but reads the body into `target`. */
  read(target: Uint8Array): number | "wait" | "end" {
    if (this.length < 0) return this.#readHead(target);
    const result = raw.recv(this.fd, target.subarray(this.received), DONTWAIT);
    return result > 0 ? this.#took(result) : this.#nothing("recv", result);
  }

  close(): void {
    raw.close(this.fd);
  }

  #took(count: number): number {
    this.received += count;
    return count;
  }

  #nothing(call: string, result: number): "wait" | "end" {
    if (result === 0) return "end";
    if (result === -EAGAIN) return "wait";
    must(call, result);
    return "end";
  }

  /** Reads until the head is complete. Bytes after it count as body. */
  #readHead(target?: Uint8Array): number | "wait" | "end" {
    const count = raw.recv(this.fd, headBytes, DONTWAIT);
    if (count <= 0) return this.#nothing("recv", count);
    const before = this.#head.length;
    this.#head += String.fromCharCode(...headBytes.subarray(0, count));
    const end = this.#head.indexOf("\r\n\r\n") + 4;
    if (end < 4) {
      if (this.#head.length >= HEAD_LIMIT) throw new Error("The head of the response is too long");
      return 0;
    }
    const [, status, length] =
      /^HTTP\/1\.1 (\d+)[^]*\r\ncontent-length: *(\d+)/i.exec(this.#head) ??
        [];
    if (status !== "200" || length === undefined) {
      throw new Error(`Unexpected response: ${JSON.stringify(this.#head.slice(0, end))}`);
    }
    this.length = Number(length);
    target?.set(headBytes.subarray(end - before, count));
    return this.#took(this.#head.length - end);
  }
}

/** Throws an error with the errno's name if a raw call has failed. */
export function must(call: string, result: number): number {
  if (result < 0) throw new Error(`${call}: ${platform.errnoNames[-result]}`);
  return result;
}

/** Builds the `struct sockaddr_in` of 127.0.0.1. */
function loopback(port: number): Uint8Array {
  return Uint8Array.of(AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
}
