/** A bare descriptor in place of a runtime's socket. @module */

import type { RuntimeConnection } from "./types.ts";

/**
 * Wraps a descriptor without a runtime: nothing is queued, and the loop waits on the descriptor
 * itself. The descriptor is borrowed; its owner decides whether it is still usable.
 *
 * @param fd Returns the number to use now, or -1 once it may belong to another file.
 */
export function descriptorConnection(fd: () => number): RuntimeConnection {
  return {
    fd,
    queued: () => false,
    write: null,
    listener() {},
    timed: () => false,
    touch() {},
    destroy() {},
    release() {},
  };
}
