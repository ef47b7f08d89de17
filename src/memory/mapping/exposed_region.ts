/** A mapping, with every buffer in which the runtime has been shown some of it. @module */

import { runtime } from "../../../ffi/mod.ts";
import { emptied, isWhole } from "../../bytes.ts";
import { check } from "../../sys/check.ts";
import { MapFlag, MemfdFlag, Protection } from "../../sys/flags/memory.ts";
import { layZeroes, mapOver, show } from "../../sys/raw/fixed.ts";
import { close, ftruncate, memfdCreate, munmap } from "../../sys/raw/mod.ts";
import type { Region } from "../../sys/region.ts";
import type { Row } from "../fault_guard/table.ts";
import { quarantine } from "./region_quarantine.ts";

const READ_WRITE = Protection.READ | Protection.WRITE;
/** Shown as a whole whenever any of it is: what few buffers show costs the runtime least. */
const SMALL = 64 * 2 ** 20;
/**
 * What is shown of a longer region begins at a multiple of this and is twice as long, so that a view of
 * up to 1 MiB always lies in one. Not longer: V8 counts what it is shown as if it had allocated it, and
 * collects garbage for 20 ms when that is 4 GiB (measured).
 */
const STEP = 2 ** 20;

interface Window {
  readonly start: number;
  readonly length: number;
  readonly buffer: ArrayBuffer;
}

/** Memory that is shown, and can be taken away again without harm to whoever is using it. */
export class ExposedRegion {
  readonly region: Region;
  /** Its row in the table of the fault guard. */
  readonly row: Row | undefined;
  /** Bytes from the first that may be shown; the last page goes on. */
  readonly visible: number;
  readonly pageSize: number;
  /** By their start, those of regular length; the others by their place. */
  readonly #blocks = new Map<number, Window>();
  #windows: Window[] = [];
  /** Whether somebody has transferred a buffer, and shows the memory out of our sight. */
  #taken = false;

  constructor(region: Region, row: Row | undefined, visible: number, pageSize: number) {
    this.region = region;
    this.row = row;
    this.visible = visible;
    this.pageSize = pageSize;
  }

  /** Whether private pages of another region were moved here, maybe with stores in them. */
  inherited = false;

  /** Whether any buffer was ever handed out. */
  get shown(): boolean {
    return this.#taken || this.#windows.length + this.#blocks.size > 0;
  }

  /**
   * Shows a range. Buffers begin on a page, so that a typed array can do what it wants with its
   * offset alone: `Atomics` on an unaligned address is a signal on arm64.
   *
   * @param made Called with each new buffer.
   *
   * @throws {RangeError} When the runtime cannot show so much at once.
   */
  show(
    offset: number,
    length: number,
    made: (buffer: ArrayBuffer) => void,
  ): Uint8Array<ArrayBuffer> {
    const { start, buffer } = this.#find(offset, offset + length) ??
      this.#open(offset, offset + length, made);
    return new Uint8Array(buffer, offset - start, length);
  }

  /** Few buffers, because all stay until the end. */
  #find(offset: number, end: number): Window | undefined {
    const block = this.#blocks.get(Math.floor(offset / STEP) * STEP);
    if (block !== undefined && holds(block, offset, end)) return this.#intact(block);
    for (const window of this.#windows) {
      if (holds(window, offset, end)) return this.#intact(window);
    }
    return undefined;
  }

  /** The window; unless its buffer has been transferred to somebody else. */
  #intact(window: Window): Window | undefined {
    if (isWhole(window.buffer, window.length)) return window;
    this.#taken = true;
    if (this.#blocks.get(window.start) === window) this.#blocks.delete(window.start);
    this.#windows = this.#windows.filter((each) => each !== window);
    return undefined;
  }

  #open(offset: number, end: number, made: (buffer: ArrayBuffer) => void): Window {
    const regular = end - offset <= STEP;
    let start = regular ? Math.floor(offset / STEP) * STEP : offset - offset % this.pageSize;
    let stop = regular ? Math.min(this.visible, start + 2 * STEP) : end;
    if (this.visible <= SMALL) [start, stop] = [0, this.visible];
    const length = stop - start;
    const window = { start, length, buffer: this.#buffer(start, length) };
    if (regular && this.visible > SMALL) this.#blocks.set(start, window);
    else this.#windows.push(window);
    made(window.buffer);
    return window;
  }

  #buffer(start: number, length: number): ArrayBuffer {
    try {
      return show(this.region, start, length);
    } catch (cause) {
      const { name, version } = runtime();
      throw new RangeError(
        `Cannot show ${length} bytes at once: ${name} ${version} has no array so long; take ` +
          "windows of at most 4 GiB by view(offset, length)",
        { cause },
      );
    }
  }

  /**
   * Takes the memory away: at once from whoever comes later, and never from under those who are
   * using it, who go on with zeroes.
   */
  end(): void {
    const windows = [...this.#windows, ...this.#blocks.values()];
    const buffers = windows.map(({ buffer }) => buffer);
    if (windows.some(({ buffer, length }) => !isWhole(buffer, length))) {
      this.#taken = true;
    }
    if (!this.shown) {
      this.row?.release();
      check(munmap(this.region), "munmap", () => "unmap a region");
      return;
    }
    this.row?.forgetFile();
    const replaced = replace(this.region);
    this.#windows = [];
    this.#blocks.clear();
    if (replaced && !this.#taken) return quarantine(this.region, this.row, buffers);
    // Shown by somebody whose end nobody tells us of: these addresses stay taken for good.
    for (const buffer of buffers) emptied(buffer);
  }
}

function holds({ start, length }: Window, offset: number, end: number): boolean {
  return start <= offset && end <= start + length;
}

/** Puts zeroes in the place of whatever is mapped. False when the system has no room even for that. */
function replace(region: Region): boolean {
  if (layZeroes(region, 0, region.length) === 0) return true;
  // Where memory is set aside for all that is private, a file in memory still takes none.
  const fd = memfdCreate("sluice-closed", MemfdFlag.CLOEXEC);
  if (fd < 0) return false;
  const laid = ftruncate(fd, region.length) === 0 &&
    mapOver(region, 0, region.length, READ_WRITE, MapFlag.SHARED, fd, 0) === 0;
  close(fd);
  return laid;
}
