/** Finds the size of a block device without system calls: stat reports 0. @module */

import { builtin } from "../../../builtins.ts";

/** Devices have whole sectors. */
const SECTOR = 512;

/**
 * Returns the size of a block device in bytes: finds the last readable sector by binary search.
 */
export async function deviceSizeByReading(fd: number): Promise<number> {
  const { read } = builtin("fs");
  const bytes = new Uint8Array(SECTOR);
  const hasSector = (index: number) =>
    new Promise<boolean>((resolve) => {
      read(fd, bytes, 0, SECTOR, index * SECTOR, (error, count) => resolve(!error && count > 0));
    });
  let above = 1;
  while (await hasSector(above - 1) && above < Number.MAX_SAFE_INTEGER / (2 * SECTOR)) above *= 2;
  let below = 0;
  // There are at least `below` sectors, and fewer than `above`.
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (await hasSector(middle - 1)) below = middle;
    else above = middle;
  }
  return below * SECTOR;
}
