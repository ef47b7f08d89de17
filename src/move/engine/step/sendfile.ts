/** The step that moves pages of a file to another descriptor. @module */

import { EINTR } from "../../../errno.ts";
import { sendfile } from "../../../sys/raw/pipes.ts";

/**
 * One sendfile(2); repeats after an interrupt.
 *
 * @param position First byte of the file; `null` for its file position.
 * @returns Bytes moved, 0 at the end of the file, or `-errno`: see outcome.ts.
 */
export function sendfileStep(
  out: number,
  file: number,
  position: number | null,
  count: number,
): number {
  for (;;) {
    const moved = sendfile(out, file, position, count);
    if (moved !== EINTR) return moved;
  }
}
