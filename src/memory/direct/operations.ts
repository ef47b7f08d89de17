/** Operations on an open file; callers check the arguments. @module */

import type { Checked } from "../../checked.ts";
import { AbortError } from "../../errors.ts";
import { isObserved, traced } from "../../move/engine/diagnostics.ts";
import { IoOp } from "../../threads/io_queue/types.ts";
import { type Place, placeOf } from "../aligned/lending.ts";
import type { Block } from "../aligned/slabs.ts";
import type { Channel } from "./channel.ts";
import { Order } from "./order.ts";
import { MOST, readInto, readThrough } from "./reading.ts";
import { writeAnywhere, writeFrom, writeThrough } from "./writing.ts";

type Signal = AbortSignal | undefined;

const nothing = (): Promise<number> => Promise.resolve(0);

/** Chooses a method for each operation, and keeps conflicting operations apart. */
export class Operations {
  readonly channel: Channel;
  /** Missing on a file open for reading, where no operations conflict. */
  readonly #order: Order | undefined;

  constructor(channel: Channel, writable: boolean) {
    this.channel = channel;
    this.#order = writable ? new Order() : undefined;
  }

  /** Whether the file is open for writing. */
  get writable(): boolean {
    return this.#order !== undefined;
  }

  /** Reads into memory of any kind. */
  read(target: Checked<Uint8Array>, offset: number, signal: Signal): Promise<number> {
    if (!isObserved()) return this.#read(target, offset, signal);
    const read = () => this.#read(target, offset, signal);
    return traced("DirectFile.read", target.length, this.channel.mode, read);
  }

  #read(target: Checked<Uint8Array>, offset: number, signal: Signal): Promise<number> {
    const { length } = target;
    const place = placeOf(target);
    return place !== undefined && this.suits(place.at, length, offset)
      ? this.readPlace(place, length, offset, signal)
      : this.#between(
        "read",
        offset,
        offset + length,
        false,
        signal,
        () => readThrough(this.channel, target, offset, signal),
      );
  }

  /** Reads into memory that meets the alignment. */
  readPlace(
    { block, at }: Place,
    length: number,
    offset: number,
    signal: Signal,
  ): Promise<number> {
    const quick = this.#atOnce(IoOp.READ, "read", block, at, length, offset, signal);
    if (quick !== undefined) return quick;
    return this.#between(
      "read",
      offset,
      offset + length,
      false,
      signal,
      () => readInto(this.channel, block, at, length, offset, signal),
    );
  }

  /** Writes memory of any kind to any offset. */
  write(source: Checked<Uint8Array>, offset: number, signal: Signal): Promise<number> {
    if (!isObserved()) return this.#write(source, offset, signal);
    const write = () => this.#write(source, offset, signal);
    return traced("DirectFile.write", source.length, this.channel.mode, write);
  }

  #write(source: Checked<Uint8Array>, offset: number, signal: Signal): Promise<number> {
    const { length } = source;
    const end = offset + length;
    const unit = this.channel.alignment.offset;
    if (length === 0) return this.#between("write", offset, end, false, signal, nothing);
    if (offset % unit === 0 && length % unit === 0) {
      const place = placeOf(source);
      return place !== undefined && place.at % this.channel.alignment.memory === 0
        ? this.writePlace(place, length, offset, signal)
        : this.#between(
          "write",
          offset,
          end,
          false,
          signal,
          () => writeThrough(this.channel, source, offset, signal),
        );
    }
    this.channel.assertOpen("write");
    const start = Math.floor(offset / unit) * unit;
    const last = Math.ceil(end / unit) * unit;
    // A write of a block past the end truncates the file afterwards, so no other write may lie
    // behind it.
    const stop = this.#order!.crowded || last > this.channel.size() ? Infinity : last;
    return this.#between(
      "write",
      start,
      stop,
      true,
      signal,
      () => writeAnywhere(this.channel, source, offset, signal),
    );
  }

  /** Writes memory that meets the alignment. */
  writePlace(
    { block, at }: Place,
    length: number,
    offset: number,
    signal: Signal,
  ): Promise<number> {
    const quick = this.#atOnce(IoOp.WRITE, "write", block, at, length, offset, signal);
    if (quick !== undefined) return quick;
    return this.#between(
      "write",
      offset,
      offset + length,
      false,
      signal,
      () => writeFrom(this.channel, block, at, length, offset, signal),
    );
  }

  /** Appends to the file. Resolves to the offset of the bytes. */
  append(source: Checked<Uint8Array>, signal: Signal): Promise<number> {
    this.channel.assertOpen("append to");
    const unit = this.channel.alignment.offset;
    const start = this.#order!.crowded ? 0 : Math.floor(this.channel.size() / unit) * unit;
    return this.#between("append to", start, Infinity, true, signal, async () => {
      const offset = this.channel.size();
      if (source.length > 0) await writeAnywhere(this.channel, source, offset, signal);
      return offset;
    });
  }

  /** Changes the length of the file. */
  async truncate(length: number): Promise<void> {
    await this.#between(
      "truncate",
      0,
      Infinity,
      true,
      undefined,
      () => this.#simple(IoOp.TRUNCATE, length),
    );
  }

  /** Flushes to the disk. */
  async sync(dataOnly: boolean): Promise<void> {
    this.channel.enter("sync");
    try {
      await this.#order?.settled();
      await this.#simple(dataOnly ? IoOp.FDATASYNC : IoOp.FSYNC, 0);
      if (this.channel.mode === "buffered") this.channel.dropCache(0, 0);
    } finally {
      this.channel.leave();
    }
  }

  /** Whether address, length and offset meet the file's alignment. */
  suits(at: number, length: number, offset: number): boolean {
    const { memory, offset: unit } = this.channel.alignment;
    return at % memory === 0 && length % unit === 0 && offset % unit === 0;
  }

  /**
   * The common case: one call, no waiting, and as few promises as possible, because promises would
   * cost more than a small read itself. Anything unusual, such as the end of the file, repeats on
   * the careful path.
   */
  #atOnce(
    op: number,
    verb: "read" | "write",
    block: Block,
    at: number,
    length: number,
    offset: number,
    signal: Signal,
  ): Promise<number> | undefined {
    const order = this.#order;
    if (signal !== undefined || length === 0 || length > MOST || order?.crowded) return undefined;
    if (this.channel.mode !== "direct") return undefined;
    this.channel.enter(verb);
    const span = order?.enter(offset, offset + length, false)[0];
    return new Promise((resolve) => {
      this.channel.start(op, block, at, length, offset, (result) => {
        if (result === length) resolve(length);
        else {
          const carefully = op === IoOp.READ ? readInto : writeFrom;
          resolve(
            this.#between(
              verb,
              offset,
              offset + length,
              false,
              signal,
              () => carefully(this.channel, block, at, length, offset, signal),
            ),
          );
        }
        if (span !== undefined) order!.leave(span);
        this.channel.leave();
      });
    });
  }

  async #simple(op: number, length: number): Promise<number> {
    const result = await this.channel.run(op, null, 0, 0, length, undefined);
    if (result < 0) throw this.channel.error(op, result, 0);
    return result;
  }

  /** Runs `act` once its span is free, and keeps the descriptor open meanwhile. */
  async #between(
    verb: string,
    start: number,
    end: number,
    exclusive: boolean,
    signal: Signal,
    act: () => Promise<number>,
  ): Promise<number> {
    this.channel.enter(verb);
    const entered = this.#order?.enter(start, end, exclusive);
    try {
      if (entered?.[1] !== undefined) await entered[1];
      if (signal?.aborted) throw new AbortError(0, signal.reason);
      return await act();
    } finally {
      if (entered !== undefined) this.#order!.leave(entered[0]);
      this.channel.leave();
    }
  }
}
