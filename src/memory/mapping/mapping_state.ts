/**
 * What stands behind a mapping: memory, file, and what is known of them. Whoever constructs a mapping
 * by hand gets a closed one, for only {@linkcode adopt} gives it a state.
 *
 * @module
 */

import { builtin } from "../../builtins.ts";
import type { Checked } from "../../checked.ts";
import { EFAULT } from "../../errno.ts";
import { errnoNumber, SyscallError, TruncatedError, UnsupportedError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { integer } from "../../sys/arguments.ts";
import { check } from "../../sys/check.ts";
import { readFrom } from "../../sys/raw/fixed.ts";
import { pread } from "../../sys/raw/mod.ts";
import type { Region } from "../../sys/region.ts";
import type { ExposedRegion } from "./exposed_region.ts";
import { PAST_END } from "../fault_guard/table.ts";
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
export interface MappingState {
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

const cores = new WeakMap<object, MappingState>();
/** Keeps a mapping alive for as long as one of its buffers is: neither was dropped then. */
const owners = new WeakMap<ArrayBuffer, object>();

/** Gives a mapping its state, or another one. */
export function adopt(mapping: object, state: MappingState): void {
  cores.set(mapping, state);
}

/** The state of an open mapping; `undefined` when it is closed. */
export function openState(mapping: object): MappingState | undefined {
  return cores.get(mapping);
}

/** Takes the state away: the mapping is closed. */
export function abandon(mapping: object): void {
  cores.delete(mapping);
}

/**
 * The state of a mapping that must be open, and whose bytes must be those of the file.
 *
 * @throws {TypeError} When it is closed.
 * @throws {TruncatedError} When its file was found to be shorter.
 */
export function stateOf(mapping: object, verb: string): MappingState {
  const state = cores.get(mapping);
  if (state === undefined) throw new TypeError(`Cannot ${verb} a mapping: it is closed`);
  throwIfFaulted(state, verb);
  return state;
}

/** Throws when a page was missed: what was read there is zero, what was stored there is lost. */
export function throwIfFaulted(state: MappingState, verb: string): void {
  const marks = state.exposed?.row?.marks ?? 0;
  if (marks === 0) return;
  reported.add(state);
  const action = `${verb} ${state.name}`;
  if ((marks & PAST_END) !== 0) throw truncated(state, action);
  throw new SyscallError({
    syscall: "mmap",
    errno: errnoNumber("EIO"),
    action: `${action}, of which a page could not be read, or not be stored on a full disk`,
  });
}

const reported = new WeakSet<MappingState>();

/** Whether a fault has been reported, by any call. */
export function wasReported(state: MappingState): boolean {
  return reported.has(state);
}

/** Describes what is left of the file. */
export function truncated(state: MappingState, action: string): TruncatedError {
  return shortOf(state, action, 0, state.length);
}

/** As above, of a range that was used. */
function shortOf(
  state: MappingState,
  action: string,
  from: number,
  length: number,
): TruncatedError {
  const { file, offset } = state;
  const size = file === undefined ? 0 : sizeOf(file.fd, file.regular);
  const left = Math.min(length, Math.max(0, size - offset - from));
  return new TruncatedError({ action, bytesMoved: left, bytesExpected: length });
}

/** Throws when the file is shorter than the range that was used. */
export function throwIfShorter(
  state: MappingState,
  from: number,
  length: number,
  action: string,
): void {
  const { file, offset } = state;
  if (file === undefined || !file.regular) return;
  const size = sizeOf(file.fd, true);
  if (size >= 0 && size < offset + from + length) throw shortOf(state, action, from, length);
}

/** Shows a range. */
export function show(mapping: object, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const state = stateOf(mapping, "show");
  checkRange(state, offset, length);
  if (state.hidden !== undefined) {
    throw new UnsupportedError({ action: `show ${state.name}`, reason: state.hidden });
  }
  if (length === 0 || state.exposed === undefined) return new Uint8Array(0);
  return state.exposed.show(
    state.delta + offset,
    length,
    (buffer) => owners.set(buffer, mapping),
  );
}

/** Copies a range into `target`, and knows whether the file still had it all. */
export function copy(mapping: object, offset: number, target: Checked<Uint8Array>): void {
  const state = stateOf(mapping, "read");
  const { length } = target;
  checkRange(state, offset, length);
  for (let at = 0; at < length;) {
    const count = copySome(state, offset + at, target.subarray(at));
    if (count <= 0) throw shortOf(state, `read ${state.name}`, offset, length);
    at += count;
  }
  throwIfFaulted(state, "read");
}

/** By the kernel, which reports a page that is missing instead of raising a signal. */
function copySome(state: MappingState, offset: number, target: Uint8Array): number {
  const { access, delta, exposed, file, name } = state;
  if (access !== "copy-on-write" && file !== undefined) {
    // One call, that also knows the end of the file within its last page.
    const count = pread(file.fd, target, state.offset + offset);
    // Not of what was opened with O_DIRECT, which the memory does not suit.
    if (count >= 0) return count;
  }
  const { pid } = builtin("process");
  const count = readFrom(pid, exposed!.region, delta + offset, target);
  if (count === EFAULT) return 0;
  check(count, "process_vm_readv", () => `read ${name}`);
  throwIfShorter(state, offset, count, `read ${name}`);
  return count;
}

/** Checks a range against the length of the mapping. */
export function checkRange({ length: most }: MappingState, offset: number, length: number): void {
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
  state: MappingState,
  range: Checked<MappedRange>,
): { start: number; length: number } {
  const { offset = 0, length = Math.max(0, state.length - offset) } = range;
  checkRange(state, offset, length);
  if (length === 0 || state.exposed === undefined) return { start: 0, length: 0 };
  const first = state.delta + offset;
  const start = first - first % state.pageSize;
  const end = Math.ceil((first + length) / state.pageSize) * state.pageSize;
  return { start, length: Math.min(end, state.exposed.region.length) - start };
}

/** Makes a call on the whole pages that hold a range. */
export function onPages(
  state: MappingState,
  range: Checked<MappedRange>,
  syscall: string,
  action: string,
  call: (region: Region, start: number, length: number) => number,
): void {
  const { start, length } = pagesOf(state, range);
  if (length === 0) return;
  const result = call(state.exposed!.region, start, length);
  if (result === EFAULT) throwIfShorter(state, 0, state.length, action);
  check(result, syscall, () => action);
}
