/** The C library that the tests run on. @module */

import { existsSync, readFileSync } from "node:fs";

const MAPS = "/proc/self/maps";

/** Whether it is musl, whose functions are not always plain system calls. */
export const MUSL: boolean = existsSync(MAPS) &&
  /\/ld-musl-|-musl\/libc\.so/.test(readFileSync(MAPS, "latin1"));
