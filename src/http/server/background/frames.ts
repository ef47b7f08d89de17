/** Exchanges messages of any length between two threads over a non-blocking socket. @module */

import { concat } from "../../../bytes.ts";
import { EAGAIN, EINTR } from "../../../errno.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { Handler, Loop } from "../../../threads/loop/loop.ts";

/** Bytes before each message: `{ u32 length, u32 id }`. */
const HEAD_BYTES = 8;

/** Most bytes of one read. */
const ROOM = 64 * 1024;

/** Receiver of the messages. */
export interface FrameHandler {
  /** Called with each message. The handler owns the bytes. */
  received(id: number, message: Uint8Array): void;
  /** Called once when the other end has closed. */
  ended(): void;
}

/** One end of the socket. */
export class Frames implements Handler {
  readonly #fd: number;
  readonly #loop: Loop;
  readonly #handler: FrameHandler;
  readonly #input = new Uint8Array(ROOM);
  /** Received pieces of the next message, and their total length. */
  #pieces: Uint8Array[] = [];
  #arrived = 0;
  /** Bytes that the next step needs: a head, or a whole message. */
  #needed = HEAD_BYTES;
  #output: Uint8Array[] = [];
  #ended = false;
  /** Whether nothing can be sent any more. */
  #mute = false;

  /** Uses `fd`, a non-blocking stream socket that the caller owns. */
  constructor(loop: Loop, fd: number, handler: FrameHandler) {
    this.#loop = loop;
    this.#fd = fd;
    this.#handler = handler;
    loop.add(fd, EpollEvent.IN, this);
  }

  /** Sends a message; what the socket has no room for follows later. False where the other end is gone. */
  send(id: number, message: Uint8Array): boolean {
    if (this.#ended || this.#mute) return false;
    const head = new Uint8Array(HEAD_BYTES);
    const view = new DataView(head.buffer);
    view.setUint32(0, message.length, true);
    view.setUint32(4, id, true);
    this.#output.push(concat([head, message]));
    if (this.#output.length === 1) this.#write();
    return !this.#mute;
  }

  /** Called by the loop. */
  onEvents(events: number): void {
    if ((events & EpollEvent.OUT) !== 0) this.#write();
    if ((events & ~EpollEvent.OUT) !== 0) this.#read();
  }

  /** Takes all that has arrived, when the loop has ended. */
  readAll(): void {
    while (this.#read());
  }

  /** Reads once; false where nothing has come. */
  #read(): boolean {
    if (this.#ended) return false;
    const read = raw.read(this.#fd, this.#input);
    if (read === EINTR) return true;
    if (read > 0) {
      this.#pieces.push(this.#input.slice(0, read));
      this.#arrived += read;
      if (this.#arrived >= this.#needed) this.#take();
    } else if (read !== EAGAIN) this.#end();
    return read > 0;
  }

  #take(): void {
    let bytes = concat(this.#pieces);
    while (bytes.length >= HEAD_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const end = HEAD_BYTES + view.getUint32(0, true);
      this.#needed = end;
      if (bytes.length < end) break;
      this.#handler.received(view.getUint32(4, true), bytes.subarray(HEAD_BYTES, end));
      bytes = bytes.subarray(end);
      this.#needed = HEAD_BYTES;
    }
    this.#pieces = [bytes];
    this.#arrived = bytes.length;
  }

  #write(): void {
    while (this.#output.length > 0) {
      const [first] = this.#output as [Uint8Array];
      const written = raw.write(this.#fd, first);
      if (written === EINTR) continue;
      if (written === EAGAIN) break;
      if (written < 0) {
        // Bytes that the other end sent before it closed are still read.
        this.#mute = true;
        this.#output = [];
        break;
      }
      if (written === first.length) this.#output.shift();
      else this.#output[0] = first.subarray(written);
    }
    const more = this.#output.length > 0 ? EpollEvent.OUT : 0;
    this.#loop.modify(this.#fd, EpollEvent.IN | more);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#output = [];
    this.#loop.remove(this.#fd);
    this.#handler.ended();
  }
}
