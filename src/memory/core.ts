/**
 * What stands behind a mapping: memory, file, and what is known of them. Whoever constructs a mapping
 * by hand gets a closed one, for only {@linkcode adopt} gives it a core.
 *
 * @module
 */

import { builtin } from "../builtins.ts";
import type { Checked } from "../checked.ts";
import { errnoNumber, SyscallError, TruncatedError, UnsupportedError } from "../errors.ts";
import { describe } from "../options.ts";
import { integer } from "../sys/arguments.ts";
import { check } from "../sys/check.ts";
import { readFrom } from "../sys/raw/fixed.ts";
import { pread } from "../sys/raw/mod.ts";
import type { Region } from "../sys/region.ts";
import type { ExposedRegion } from "./exposed_region.ts";
import { PAST_END } from "./fault_guard/table.ts";
import { type OpenFile, sizeOf } from "./open_file.ts";

/** A part of a mapping, in bytes from its first; the pages that hold it are meant as a whole. */
export interface MappedRange {
  /** First byte, a safe integer >= 0. @default {0} */
  offset?: number | undefined;
  /** Bytes, a safe integer >= 0. @default {all that follow} */
  length?: number | undefined;
}

/** What stores into a mapping do: nothing lasting, reach the file, or stay in this process. */
export type MapAccess = "read" | "write" | "copy-on-write";

/** Memory and file behind a mapping. Replaced as a whole when it is resized. */
export interface Core {
  /** How the mapping is called in messages. */
  readonly name: string;
  readonly access: MapAccess;
  /** The memory; nothing is mapped of 0 bytes. */
  readonly exposed: ExposedRegion | undefined;
  /** Bytes from the first of the memory to the first of the mapping, less than a page. */
  readonly delta: number;
  readonly length: number;
  readonly pageSize: number;
  /** First byte of the mapping in the file. */
  readonly offset: number;
  /** Whether it is mapped with `MAP_SYNC`. */
  readonly sync: boolean;
  /** Logarithm of the size of huge pages, of memory without a file that consists of them. */
  readonly shift: number | undefined;
  /** The file; anonymous memory has none. */
  readonly file: OpenFile | undefined;
  /** Why no bytes can be shown, where they cannot. */
  readonly hidden: string | undefined;
}

const cores = new WeakMap<object, Core>();
/** Keeps a mapping alive for as long as one of its buffers is: neither was dropped then. */
const owners = new WeakMap<ArrayBuffer, object>();

/** Gives a mapping its core, or another one. */
export function adopt(mapping: object, core: Core): void {
  cores.set(mapping, core);
}

/** The core of an open mapping; `undefined` when it is closed. */
export function openCore(mapping: object): Core | undefined {
  return cores.get(mapping);
}

/** Takes the core away: the mapping is closed. */
export function abandon(mapping: object): void {
  cores.delete(mapping);
}

/**
 * The core of a mapping that must be open, and whose bytes must be those of the file.
 *
 * @throws {TypeError} When it is closed.
 * @throws {TruncatedError} When its file was found to be shorter.
 */
export function coreOf(mapping: object, verb: string): Core {
  const core = cores.get(mapping);
  if (core === undefined) throw new TypeError(`Cannot ${verb} a mapping: it is closed`);
  throwIfFaulted(core, verb);
  return core;
}

/** Throws when a page was missed: what was read there is zero, what was stored there is lost. */
export function throwIfFaulted(core: Core, verb: string): void {
  const marks = core.exposed?.row?.marks ?? 0;
  if (marks === 0) return;
  reported.add(core);
  const action = `${verb} ${core.name}`;
  if ((marks & PAST_END) !== 0) throw truncated(core, action);
  throw new SyscallError({
    syscall: "mmap",
    errno: errnoNumber("EIO"),
    action: `${action}, of which a page could not be read, or not be stored on a full disk`,
  });
}

const reported = new WeakSet<Core>();

/** Whether a fault has been reported, by any call. */
export function wasReported(core: Core): boolean {
  return reported.has(core);
}

/** Describes what is left of the file. */
export function truncated(core: Core, action: string): TruncatedError {
  return shortOf(core, action, 0, core.length);
}

/** As above, of a range that was used. */
function shortOf(core: Core, action: string, from: number, length: number): TruncatedError {
  const { file, offset } = core;
  const size = file === undefined ? 0 : sizeOf(file.fd, file.regular);
  const left = Math.min(length, Math.max(0, size - offset - from));
  return new TruncatedError({ action, bytesMoved: left, bytesExpected: length });
}

/** Throws when the file is shorter than the range that was used. */
export function throwIfShorter(core: Core, from: number, length: number, action: string): void {
  const { file, offset } = core;
  if (file === undefined || !file.regular) return;
  const size = sizeOf(file.fd, true);
  if (size >= 0 && size < offset + from + length) throw shortOf(core, action, from, length);
}

/** Shows a range. */
export function show(mapping: object, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const core = coreOf(mapping, "show");
  checkRange(core, offset, length);
  if (core.hidden !== undefined) {
    throw new UnsupportedError({ action: `show ${core.name}`, reason: core.hidden });
  }
  if (length === 0 || core.exposed === undefined) return new Uint8Array(0);
  return core.exposed.show(
    core.delta + offset,
    length,
    (buffer) => owners.set(buffer, mapping),
  );
}

/** Copies a range into `target`, and knows whether the file still had it all. */
export function copy(mapping: object, offset: number, target: Checked<Uint8Array>): void {
  const core = coreOf(mapping, "read");
  const { length } = target;
  checkRange(core, offset, length);
  for (let at = 0; at < length;) {
    const count = copySome(core, offset + at, target.subarray(at));
    if (count <= 0) throw shortOf(core, `read ${core.name}`, offset, length);
    at += count;
  }
  throwIfFaulted(core, "read");
}

const EFAULT = -errnoNumber("EFAULT");

/** By the kernel, which reports a page that is missing instead of raising a signal. */
function copySome(core: Core, offset: number, target: Uint8Array): number {
  const { access, delta, exposed, file, name } = core;
  if (access !== "copy-on-write" && file !== undefined) {
    // One call, that also knows the end of the file within its last page.
    const count = pread(file.fd, target, core.offset + offset);
    // Not of what was opened with O_DIRECT, which the memory does not suit.
    if (count >= 0) return count;
  }
  const { pid } = builtin("process");
  const count = readFrom(pid, exposed!.region, delta + offset, target);
  if (count === EFAULT) return 0;
  check(count, "process_vm_readv", () => `read ${name}`);
  throwIfShorter(core, offset, count, `read ${name}`);
  return count;
}

/** Checks a range against the length of the mapping. */
export function checkRange({ length: most }: Core, offset: number, length: number): void {
  integer(offset, "offset", 0, most);
  integer(length, "length", 0, most - offset);
}

/** Copies a caller's range. */
export function ownRange(range: MappedRange = {}): Checked<MappedRange> {
  if (typeof range !== "object" || range === null) {
    throw new TypeError(`Cannot use ${describe(range)} as a range: expected { offset, length }`);
  }
  const { offset, length } = range;
  return { offset, length } as Checked<MappedRange>;
}

/** All of a mapping. */
export const ALL: Checked<MappedRange> = ownRange();

/** The whole pages that hold a range: offset and length in the region. Nothing for no bytes. */
export function pagesOf(
  core: Core,
  range: Checked<MappedRange>,
): { start: number; length: number } {
  const { offset = 0, length = Math.max(0, core.length - offset) } = range;
  checkRange(core, offset, length);
  if (length === 0 || core.exposed === undefined) return { start: 0, length: 0 };
  const first = core.delta + offset;
  const start = first - first % core.pageSize;
  const end = Math.ceil((first + length) / core.pageSize) * core.pageSize;
  return { start, length: Math.min(end, core.exposed.region.length) - start };
}

/** Makes a call on the whole pages that hold a range. */
export function onPages(
  core: Core,
  range: Checked<MappedRange>,
  syscall: string,
  action: string,
  call: (region: Region, start: number, length: number) => number,
): void {
  const { start, length } = pagesOf(core, range);
  if (length === 0) return;
  const result = call(core.exposed!.region, start, length);
  if (result === EFAULT) throwIfShorter(core, 0, core.length, action);
  check(result, syscall, () => action);
}
