/** Ends the process. @module */

import { libc } from "../../libc.ts";

/** `_exit(status)`: ends the process at once, with all its threads. */
export function exitNow(status: number): void {
  libc()._exit(status);
}
