/** Reading the small files of procfs and sysfs by system calls. @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../sys/raw/mod.ts";

const MOST = 65536;

/**
 * Returns the text of a generated file, or `undefined` where there is none. It goes by system calls,
 * for Deno's own reading of these folders asks for every permission at once.
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
