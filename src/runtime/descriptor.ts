/** A bare descriptor in the place of a runtime's socket. @module */

import type { RuntimeConnection } from "./types.ts";

/**
 * A descriptor has no runtime behind it: nothing is queued, and it is waited for by itself. It is
 * borrowed: whether it is still good for anything is its owner's to say.
 *
 * @param fd The number to use now, or -1 when it has become somebody else's.
 */
export function descriptorConnection(fd: () => number): RuntimeConnection {
  return {
    fd,
    queued: () => false,
    write: null,
    timed: () => false,
    touch() {},
    destroy() {},
    release() {},
  };
}
