/**
 * How many mappings the process may have. Linux gives a process 65,530 (`vm.max_map_count`), of everybody
 * in it: when none is left, an allocation of the runtime itself fails, and that ends the process.
 *
 * @module
 */

import { platform } from "../../ffi/platform/mod.ts";
import { ENOMEM } from "../errno.ts";
import { SyscallError } from "../errors.ts";
import { OpenFlag } from "../sys/flags/file.ts";
import { close, open, read } from "../sys/raw/mod.ts";
import { giveBack } from "./mapping/region_quarantine.ts";

/** Mappings of this thread between two counts: a count takes up to 30 ms. */
const BETWEEN = 512;
/** Part of all mappings that is left to the runtime, to its libraries, and to threads that count later. */
const RESERVED = 1 / 4;
/** Where the system does not say. */
const USUAL_LIMIT = 65_530;

const NEWLINE = 10;

let uncounted = 0;
let limit = 0;

/**
 * Throws when the process has nearly as many mappings as it may have.
 *
 * @throws {SyscallError} `ENOMEM`.
 */
export function assertRoom(action: () => string): void {
  if (++uncounted < BETWEEN || platform.os !== "linux") return;
  limit ||= (numberIn("/proc/sys/vm/max_map_count") || USUAL_LIMIT) * (1 - RESERVED);
  if (linesOf("/proc/self/maps") > limit && !(giveBack() && linesOf("/proc/self/maps") <= limit)) {
    const most = Math.floor(limit);
    throw new SyscallError({
      syscall: "mmap",
      errno: -ENOMEM,
      action: `${action()}: the process has more than ${most} mappings (vm.max_map_count)`,
    });
  }
  uncounted = 0;
}

/** Makes a call that maps memory; once more when there were no addresses, but some could be given back. */
export function mapped<T>(call: () => T | number): T | number {
  const result = call();
  return result === ENOMEM && giveBack() ? call() : result;
}

function numberIn(path: string): number {
  const text = new Uint8Array(32);
  const count = readEach(path, text, () => {});
  return count < 0 ? 0 : Number.parseInt(new TextDecoder().decode(text), 10) || 0;
}

/** Lines of a file; 0 when it cannot be read. */
function linesOf(path: string): number {
  let lines = 0;
  readEach(path, new Uint8Array(64 * 1024), (part) => {
    for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, at + 1)) lines++;
  });
  return lines;
}

function readEach(path: string, memory: Uint8Array, use: (part: Uint8Array) => void): number {
  const fd = open(path, OpenFlag.RDONLY | OpenFlag.CLOEXEC, 0);
  if (fd < 0) return fd;
  let total = 0;
  for (let count = read(fd, memory); count > 0; count = read(fd, memory)) {
    use(memory.subarray(0, count));
    total += count;
  }
  close(fd);
  return total;
}
