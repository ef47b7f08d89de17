/** Encrypts several records of a connection, and sends them by one call. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { EAGAIN, ECONNRESET, EINTR } from "../../errno.ts";
import { addressAt, sendAt } from "../../sys/raw/cells.ts";
import { MessageFlag } from "../../sys/flags/socket.ts";
import { RECORD_BYTES, type TlsMemory } from "./memory.ts";

/**
 * Maximum data of a batch in bytes: four records. They stay in the processor's cache until they are
 * sent; 256 KiB would not.
 */
export const BATCH_BYTES: number = 4 * RECORD_BYTES;

/** Batches of one connection. Results are counts of data, or `-errno`. */
export class Batch {
  /** Length of data that was encrypted and not reported as sent. */
  pending = 0;
  readonly #memory: TlsMemory;
  readonly #fd: number;
  readonly #ssl: bigint;
  readonly #socket: bigint;
  /** Encrypted bytes that the socket had no room for. */
  #rest: Cell | null = null;
  #at = 0;

  /** See `RecordWriter`. */
  constructor(memory: TlsMemory, fd: number, ssl: bigint, socket: bigint) {
    this.#memory = memory;
    this.#fd = fd;
    this.#ssl = ssl;
    this.#socket = socket;
  }

  /** Call this before {@linkcode send}; false if memory runs out. */
  begin(): boolean {
    return this.#memory.output.begin(this.#ssl, this.#socket);
  }

  /** Call this after the last {@linkcode send} of a turn. */
  end(): void {
    this.#memory.output.end(this.#ssl, this.#socket);
  }

  /**
   * Encrypts and sends at most {@linkcode BATCH_BYTES}. If the socket does not take all, `pending`
   * is set, and the last records count as sent only with {@linkcode finish}.
   *
   * @param more Whether more follows at once.
   */
  send(address: bigint, count: number, more: boolean): number {
    const { calls, output } = this.#memory;
    const written = calls.SSL_write(this.#ssl, address, count);
    const { length } = output;
    const flags = more ? MessageFlag.NOSIGNAL | MessageFlag.MORE : MessageFlag.NOSIGNAL;
    const sent = written === count ? sendAt(this.#fd, output.address, length, flags) : ECONNRESET;
    if (sent === length || fatal(sent)) {
      output.drop(length);
      return sent === length ? count : ECONNRESET;
    }
    const taken = Math.max(0, sent);
    output.drop(taken);
    this.#rest = output.takeRest(length - taken);
    this.#at = 0;
    const whole = Math.floor(count * taken / length / RECORD_BYTES) * RECORD_BYTES;
    this.pending = count - whole;
    return whole > 0 ? whole : EAGAIN;
  }

  /** Sends the rest of a batch. */
  finish(): number {
    const rest = this.#rest!;
    const left = rest.bytes.length - this.#at;
    const sent = sendAt(this.#fd, addressAt(rest, this.#at), left, MessageFlag.NOSIGNAL);
    if (fatal(sent)) return ECONNRESET;
    if (sent > 0) this.#at += sent;
    if (sent < left) return EAGAIN;
    const { pending } = this;
    this.#rest = null;
    this.pending = 0;
    return pending;
  }

  /**
   * Call this before OpenSSL reads: if it writes an alert meanwhile, that must follow the rest of the
   * batch. True if {@linkcode rejoin} has to be called afterwards.
   */
  divert(): boolean {
    return this.#rest !== null && this.begin();
  }

  /** Adds what OpenSSL has written meanwhile to the rest of the batch. */
  rejoin(): void {
    this.end();
    const { output } = this.#memory;
    const { length } = output;
    if (length === 0) return;
    const old = this.#rest!.bytes.subarray(this.#at);
    const added = output.takeRest(length);
    this.#rest = new Cell(old.length + length);
    this.#rest.bytes.set(old);
    this.#rest.bytes.set(added.bytes, old.length);
    this.#at = 0;
  }
}

function fatal(sent: number): boolean {
  return sent < 0 && sent !== EAGAIN && sent !== EINTR;
}
