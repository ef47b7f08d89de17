/** A client: its requests are answered one after the other, in their order. @module */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { sendFile } from "../../src/mod.ts";
import { answer } from "./api.ts";
import type { Broker } from "./broker.ts";
import { Malformed, type Writer } from "./wire.ts";

/** Bytes of requests that may wait behind the one being answered. */
const MOST_WAITING = 4 * 1024 * 1024;
/** Time for a client to read the last response, in milliseconds. */
const LINGER_MS = 1000;

/** Splits what arrives into messages. */
export class Frames {
  readonly #most: number;
  #chunks: Buffer[] = [];
  #held = 0;
  #wanted = 4;

  /** Refuses messages of more than `most` bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Adds bytes; returns the messages that are complete, as views. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const frames: Buffer[] = [];
    let at = 0;
    for (this.#wanted = 4; bytes.length - at >= 4; this.#wanted = 4) {
      const size = bytes.readInt32BE(at);
      // Refused by its size, before it is read.
      if (size < 4 || size > this.#most) throw new Malformed(`a message of ${size} bytes`);
      this.#wanted = 4 + size;
      if (bytes.length - at < this.#wanted) break;
      frames.push(bytes.subarray(at + 4, at + this.#wanted));
      at += this.#wanted;
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#held = bytes.length - at;
    return frames;
  }
}

/** One connection of a client. */
export class Connection {
  readonly broker: Broker;
  /** Where clients reach this broker. */
  readonly address: { readonly host: string; readonly port: number };
  readonly #socket: Socket;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #busy = false;
  #closed: (() => void) | undefined;

  /** Starts to answer. */
  constructor(
    socket: Socket,
    broker: Broker,
    address: { readonly host: string; readonly port: number },
    mostBytes: number,
  ) {
    [this.#socket, this.broker, this.address] = [socket, broker, address];
    const frames = new Frames(mostBytes);
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#closed?.());
    socket.on("end", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const frame of frames.push(chunk)) this.#add(frame);
      } catch {
        socket.destroy();
      }
    });
  }

  /** Whether nobody waits for an answer any more. */
  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** Calls `closed` if the connection closes during this request. */
  onClose(closed: () => void): void {
    this.#closed = closed;
    if (this.closed) closed();
  }

  #add(frame: Buffer): void {
    if (this.#socket.writableEnded) return;
    this.#waiting.push(frame);
    this.#waitingBytes += frame.length;
    // Goes on reading while it answers, and so notices the end of the connection.
    if (this.#waitingBytes > MOST_WAITING) this.#socket.pause();
    if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    try {
      for (let frame; (frame = this.#waiting.shift()) !== undefined && !this.closed;) {
        this.#waitingBytes -= frame.length;
        const { response, last } = await answer(frame, this);
        this.#closed = undefined;
        if (response !== undefined && !this.closed) await this.#send(response);
        if (last) return this.#end();
        if (this.#waitingBytes <= MOST_WAITING && !this.closed) this.#socket.resume();
      }
    } catch (error) {
      if (!(error instanceof Malformed) && !this.closed) console.error(error);
      this.#socket.destroy();
    } finally {
      this.#busy = false;
    }
  }

  async #send(response: Writer): Promise<void> {
    const rest = response.finish();
    for (const { before, slice: { segment, start, length } } of response.pieces) {
      await segment.use(() =>
        sendFile(this.#socket, segment.fd, { start, length, header: before })
      );
    }
    if (rest.length > 0) await this.#write(rest);
  }

  /** Lets the client read the last response. */
  #end(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  /** Waits while the client does not read. */
  #write(bytes: Buffer): Promise<void> | void {
    if (this.#socket.write(bytes)) return;
    return new Promise((resolve) => {
      const done = () => {
        this.#socket.off("drain", done).off("close", done);
        resolve();
      };
      this.#socket.on("drain", done).on("close", done);
    });
  }
}
