/** Closing a mapping. @module */

import { abandon, openCore, throwIfFaulted, wasReported } from "./core.ts";
import { unwatchDropped } from "./dropped.ts";

/** Takes the memory away, then tells what was missed; a second call does nothing. */
export function end(mapping: object): void {
  const core = openCore(mapping);
  if (core === undefined) return;
  abandon(mapping);
  unwatchDropped(mapping);
  const { access, exposed, file } = core;
  // Read afterwards, for a store of another thread may fault until then. A row that nobody could
  // see is somebody else's afterwards.
  const watched = exposed?.shown === true;
  try {
    exposed?.end();
    if (watched && (access === "write" || !wasReported(core))) throwIfFaulted(core, "close");
  } finally {
    file?.close();
  }
}
