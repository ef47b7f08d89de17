/** Signals: what the process does when one arrives. @module */

import type { Signature } from "../types.ts";

export const SIGNALS = {
  /** `int sigaction(int signal, const struct sigaction *act, struct sigaction *old)` */
  sigaction: { args: ["i32", "address", "address"], returns: "i32" },
} as const;

SIGNALS satisfies Record<string, Signature>;
