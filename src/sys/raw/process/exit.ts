/** The end of the process. @module */

import { libc } from "../../libc.ts";

/** `_exit(status)`: ends the process at once, with all its threads, whatever they are doing. */
export function exitNow(status: number): void {
  libc()._exit(status);
}
