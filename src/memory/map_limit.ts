/**
 * Limits how many mappings the process creates. Linux allows a process 65,530 mappings in total
 * (`vm.max_map_count`). Beyond that, the runtime's own allocations fail, which ends the process.
 *
 * @module
 */

import { platform } from "../../ffi/platform/mod.ts";
import { errnoNumber, SyscallError } from "../errors.ts";
import { OpenFlag } from "../sys/flags/file.ts";
import { close, open, read } from "../sys/raw/mod.ts";
import { giveBack } from "./mapping/region_quarantine.ts";

/**
 * Mappings that this thread may create between two counts: a count reads all of /proc/self/maps.
 */
const BETWEEN = 512;
/** Share of all mappings reserved for the runtime, its libraries, and threads that count later. */
const RESERVED = 1 / 4;
/** Linux's default, used if the system does not say. */
const USUAL_LIMIT = 65_530;

const ENOMEM = -errnoNumber("ENOMEM");
const NEWLINE = 10;

let uncounted = 0;
let limit = 0;

/**
 * Throws when the process is close to its limit of mappings.
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

/**
 * Makes a call that maps memory. If no addresses are left, frees quarantined ones and tries again.
 */
export function mapped<T>(call: () => T | number): T | number {
  const result = call();
  return result === ENOMEM && giveBack() ? call() : result;
}

function numberIn(path: string): number {
  const text = new Uint8Array(32);
  const count = readEach(path, text, () => {});
  return count < 0 ? 0 : Number.parseInt(new TextDecoder().decode(text), 10) || 0;
}

/** Number of lines in a file; 0 if it cannot be read. */
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
