/** Closing a mapping. @module */

import { abandon, openState, throwIfFaulted, wasReported } from "./mapping_state.ts";
import { unwatchDropped } from "./dropped.ts";

/** Takes the memory away, then tells what was missed; a second call does nothing. */
export function end(mapping: object): void {
  const state = openState(mapping);
  if (state === undefined) return;
  abandon(mapping);
  unwatchDropped(mapping);
  const { access, exposed, file } = state;
  // Read afterwards, for a store of another thread may fault until then. A row that nobody could
  // see is somebody else's afterwards.
  const watched = exposed?.shown === true;
  try {
    exposed?.end();
    if (watched && (access === "write" || !wasReported(state))) throwIfFaulted(state, "close");
  } finally {
    file?.close();
  }
}
