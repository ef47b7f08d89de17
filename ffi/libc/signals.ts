/** Signal handling, and the end of the process. @module */

import type { Signature } from "../types.ts";

export const SIGNALS = {
  /** `int sigaction(int signal, const struct sigaction *act, struct sigaction *old)` */
  sigaction: { args: ["i32", "address", "address"], returns: "i32" },
  /** `void _exit(int status)` */
  _exit: { args: ["i32"], returns: "void" },
} as const;

SIGNALS satisfies Record<string, Signature>;
