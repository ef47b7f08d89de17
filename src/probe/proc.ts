/** Reads small files of procfs and sysfs by system calls. @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../sys/raw/mod.ts";

const MOST = 65536;

/**
 * Returns the text of a generated file, or `undefined` if it does not exist. Uses system calls,
 * because Deno requires all permissions at once to read these folders.
 */
export function readProc(path: string): string | undefined {
  const fd = raw.open(path, platform.open.CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const bytes = new Uint8Array(MOST);
    let length = 0;
    for (let count = 1; count > 0 && length < MOST; length += Math.max(0, count)) {
      count = raw.read(fd, bytes.subarray(length));
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  } finally {
    raw.close(fd);
  }
}
