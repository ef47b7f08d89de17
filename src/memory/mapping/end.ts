/** Closes mappings. @module */

import { abandon, openState, throwIfFaulted, wasReported } from "./mapping_state.ts";
import { unwatchDropped } from "./dropped.ts";

/**
 * Replaces the memory, then reports faults that no call has reported. A second call does nothing.
 */
export function end(mapping: object): void {
  const state = openState(mapping);
  if (state === undefined) return;
  abandon(mapping);
  unwatchDropped(mapping);
  const { access, exposed, file } = state;
  // Read this last: a store by another thread may fault until then. If no buffer ever showed the
  // memory, the row may belong to another mapping by then.
  const watched = exposed?.shown === true;
  try {
    exposed?.end();
    if (watched && (access === "write" || !wasReported(state))) throwIfFaulted(state, "close");
  } finally {
    file?.close();
  }
}
