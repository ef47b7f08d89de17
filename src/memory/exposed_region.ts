/** A mapping, with every buffer in which the runtime has been shown some of it. @module */

import { runtime } from "../../ffi/mod.ts";
import { check } from "../sys/check.ts";
import { MapFlag, MemfdFlag, Protection } from "../sys/memory_flags.ts";
import { layZeroes, mapOver, show } from "../sys/raw/fixed.ts";
import { close, ftruncate, memfdCreate, munmap } from "../sys/raw/mod.ts";
import type { Region } from "../sys/region.ts";
import type { Row } from "./fault_guard/table.ts";
import { empty, quarantine } from "./region_quarantine.ts";

const READ_WRITE = Protection.READ | Protection.WRITE;
const STEP = 2 ** 30;
/** Bun shows at most 4 GiB in one buffer; elsewhere shorter ones cost no less. */
const WINDOW = 2 ** 32;

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
  #windows: Window[] = [];
  /** Whether somebody has transferred a buffer, and shows the memory out of our sight. */
  #taken = false;

  constructor(region: Region, row: Row | undefined, visible: number, pageSize: number) {
    this.region = region;
    this.row = row;
    this.visible = visible;
    this.pageSize = pageSize;
  }

  /** Whether any buffer was ever handed out. */
  get shown(): boolean {
    return this.#taken || this.#windows.length > 0;
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

  /** Few buffers, each as long as can be, because all stay until the end. */
  #find(offset: number, end: number): Window | undefined {
    for (const window of this.#windows) {
      if (window.start > offset || end > window.start + window.length) continue;
      if (window.buffer.byteLength === window.length) return window;
      this.#taken = true;
      this.#windows = this.#windows.filter((each) => each !== window);
    }
    return undefined;
  }

  #open(offset: number, end: number, made: (buffer: ArrayBuffer) => void): Window {
    let start = Math.floor(offset / STEP) * STEP;
    if (end - start > WINDOW) start = offset - offset % this.pageSize;
    const length = Math.max(end, Math.min(this.visible, start + WINDOW)) - start;
    const window = { start, length, buffer: this.#buffer(start, length) };
    this.#windows.push(window);
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
    const buffers = this.#windows.map(({ buffer }) => buffer);
    if (this.#windows.some(({ buffer, length }) => buffer.byteLength !== length)) {
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
    if (replaced && !this.#taken) return quarantine(this.region, this.row, buffers);
    // Shown by somebody whose end nobody tells us of: these addresses stay taken for good.
    for (const buffer of buffers) empty(buffer);
  }
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
