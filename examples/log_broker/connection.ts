/** A client: its requests are answered one after the other, in their order. @module */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { sendFile } from "../../src/mod.ts";
import { answer } from "./api.ts";
import type { Broker } from "./broker.ts";
import { Turns } from "./log/files.ts";
import { Malformed, type Writer } from "./wire.ts";

/** Bytes of requests that may wait behind the one being answered. */
const MOST_WAITING = 4 * 1024 * 1024;
/** Time for a client to read the last response, in milliseconds. */
const LINGER_MS = 1000;

/** Splits what arrives into messages. */
export class Frames {
  #chunks: Buffer[] = [];
  #held = 0;
  #wanted = 4;

  /** Adds bytes; returns the messages that are complete, as views. Refuses more than `most` bytes. */
  push(chunk: Buffer, most: number): Buffer[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const frames: Buffer[] = [];
    let at = 0;
    for (this.#wanted = 4; bytes.length - at >= 4; this.#wanted = 4) {
      const size = bytes.readInt32BE(at);
      // Refused by its size, before it is read.
      if (size < 4 || size > most) throw new Malformed(`a message of ${size} bytes`);
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

/** Where clients reach this broker. */
export type Address = { readonly host: string; readonly port: number };

/** One connection of a client. */
export class Connection {
  readonly broker: Broker;
  readonly address: Address;
  readonly #socket: Socket;
  readonly #turns: Turns = new Turns();
  #waitingBytes = 0;
  #closed: (() => void) | undefined;

  /** Starts to answer. */
  constructor(socket: Socket, broker: Broker, address: Address, mostBytes: number) {
    [this.#socket, this.broker, this.address] = [socket, broker, address];
    const frames = new Frames();
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#closed?.());
    socket.on("end", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const frame of frames.push(chunk, mostBytes)) this.#add(frame);
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
    this.#waitingBytes += frame.length;
    // Goes on reading while it answers, and so notices the end of the connection.
    if (this.#waitingBytes > MOST_WAITING) this.#socket.pause();
    this.#turns.run(() => this.#answer(frame)).catch((error) => {
      if (!(error instanceof Malformed) && !this.closed) console.error(error);
      this.#socket.destroy();
    });
  }

  async #answer(frame: Buffer): Promise<void> {
    if (this.closed || this.#socket.writableEnded) return;
    const { response, last } = await answer(frame, this);
    this.#closed = undefined;
    if (this.closed) return;
    if (response !== undefined) await this.#send(response);
    this.#waitingBytes -= frame.length;
    if (this.#waitingBytes <= MOST_WAITING) this.#socket.resume();
    if (!last) return;
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  async #send(response: Writer): Promise<void> {
    const rest = response.finish();
    for (const { before, slice: { segment, start, length } } of response.pieces) {
      const part = { start, length, header: before };
      await segment.use(() => sendFile(this.#socket, segment.fd, part));
    }
    if (rest.length > 0) await new Promise((done) => this.#socket.write(rest, done));
  }
}
