/** A mapped region and every buffer that shows a part of it. @module */

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
/** Regions up to this size are always shown whole: fewer buffers cost the runtime less. */
const SMALL = 64 * 2 ** 20;
/**
 * Windows of a longer region start at a multiple of this and are twice as long, so a view of up to
 * 1 MiB always lies within one. They are no longer than that, because V8 counts external memory as
 * if it had allocated it, and collects garbage more often.
 */
const STEP = 2 ** 20;

interface Window {
  readonly start: number;
  readonly length: number;
  readonly buffer: ArrayBuffer;
}

/** Memory that buffers show, and that can be removed safely while they are in use. */
export class ExposedRegion {
  readonly region: Region;
  /** Row of the region in the fault guard's table. */
  readonly row: Row | undefined;
  /** Bytes, from the first, that may be shown; the last page extends beyond them. */
  readonly visible: number;
  readonly pageSize: number;
  /** Windows of regular length, by their start; `#windows` holds the others, in order. */
  readonly #blocks = new Map<number, Window>();
  #windows: Window[] = [];
  /** Whether a buffer was transferred, so that another owner shows the memory. */
  #taken = false;

  constructor(region: Region, row: Row | undefined, visible: number, pageSize: number) {
    this.region = region;
    this.row = row;
    this.visible = visible;
    this.pageSize = pageSize;
  }

  /** Whether private pages of another region, possibly modified, were moved here. */
  inherited = false;

  /** Whether any buffer was ever handed out. */
  get shown(): boolean {
    return this.#taken || this.#windows.length + this.#blocks.size > 0;
  }

  /**
   * Shows a range. Buffers start on a page boundary, so a typed array is aligned if its offset is:
   * `Atomics` on an unaligned address raises a signal on arm64.
   *
   * @param made Called with each new buffer.
   *
   * @throws {RangeError} When the range is too long for one array of the runtime.
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

  /** Finds a window that holds the range. Reuses windows, because each stays until the end. */
  #find(offset: number, end: number): Window | undefined {
    const block = this.#blocks.get(Math.floor(offset / STEP) * STEP);
    if (block !== undefined && holds(block, offset, end)) return this.#intact(block);
    for (const window of this.#windows) {
      if (holds(window, offset, end)) return this.#intact(window);
    }
    return undefined;
  }

  /** Returns the window unless its buffer has been transferred. */
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
        `Cannot show ${length} bytes at once: ${name} ${version} has no array of that length; use ` +
          "windows of at most 4 GiB by view(offset, length)",
        { cause },
      );
    }
  }

  /**
   * Removes the memory. New accesses see empty buffers at once; operations still in progress
   * continue on zero pages.
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
    // The new owner of a transferred buffer never reports its end: keep these addresses forever.
    for (const buffer of buffers) emptied(buffer);
  }
}

function holds({ start, length }: Window, offset: number, end: number): boolean {
  return start <= offset && end <= start + length;
}

/** Replaces a mapping by zero pages. Returns false if the system lacks the memory even for that. */
function replace(region: Region): boolean {
  if (layZeroes(region, 0, region.length) === 0) return true;
  // Under strict overcommit accounting, private memory is charged but a memfd is not.
  const fd = memfdCreate("sluice-closed", MemfdFlag.CLOEXEC);
  if (fd < 0) return false;
  const laid = ftruncate(fd, region.length) === 0 &&
    mapOver(region, 0, region.length, READ_WRITE, MapFlag.SHARED, fd, 0) === 0;
  close(fd);
  return laid;
}
