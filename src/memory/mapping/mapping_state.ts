/**
 * The state behind a mapping: its memory, its file, and what is known of them. Only
 * {@linkcode adopt} attaches a state, so a mapping that you construct yourself is a closed one.
 *
 * @module
 */

import { builtin } from "../../builtins.ts";
import type { Checked } from "../../checked.ts";
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

/** Part of a mapping, in bytes from its start. Calls act on the whole pages that hold it. */
export interface MappedRange {
  /** First byte, a safe integer >= 0. @default {0} */
  offset?: number | undefined;
  /** Bytes, a safe integer >= 0. @default {to the end of the mapping} */
  length?: number | undefined;
}

/**
 * Effect of stores into a mapping: none lasting, they reach the file, or they stay in this process.
 */
export type MapAccess = "read" | "write" | "copy-on-write";

/** Memory and file of a mapping. A resize replaces it. */
export interface MappingState {
  /** Name of the mapping in messages. */
  readonly name: string;
  readonly access: MapAccess;
  /** The memory; missing for a mapping of 0 bytes. */
  readonly exposed: ExposedRegion | undefined;
  /** Bytes between the start of the memory and the start of the mapping; less than a page. */
  readonly delta: number;
  readonly length: number;
  readonly pageSize: number;
  /** First byte of the mapping within the file. */
  readonly offset: number;
  /** Whether the file is mapped with `MAP_SYNC`. */
  readonly sync: boolean;
  /** Binary logarithm of the huge page size, for anonymous memory in huge pages. */
  readonly shift: number | undefined;
  /** The file; missing for anonymous memory. */
  readonly file: OpenFile | undefined;
  /** Reason why no bytes can be shown, if they cannot. */
  readonly hidden: string | undefined;
}

const cores = new WeakMap<object, MappingState>();
/** Keeps a mapping alive while one of its buffers is, so it does not count as dropped. */
const owners = new WeakMap<ArrayBuffer, object>();

/** Gives a mapping its state, or replaces it. */
export function adopt(mapping: object, state: MappingState): void {
  cores.set(mapping, state);
}

/** State of an open mapping; `undefined` for a closed one. */
export function openState(mapping: object): MappingState | undefined {
  return cores.get(mapping);
}

/** Removes the state: the mapping is closed. */
export function abandon(mapping: object): void {
  cores.delete(mapping);
}

/**
 * Returns the state of a mapping. Checks that it is open, and that it shows the file's bytes.
 *
 * @throws {TypeError} When the mapping is closed.
 * @throws {TruncatedError} When its file was found to be truncated.
 */
export function stateOf(mapping: object, verb: string): MappingState {
  const state = cores.get(mapping);
  if (state === undefined) throw new TypeError(`Cannot ${verb} a mapping: it is closed`);
  throwIfFaulted(state, verb);
  return state;
}

/** Throws after a missing page: reads there returned zeroes, and stores are lost. */
export function throwIfFaulted(state: MappingState, verb: string): void {
  const marks = state.exposed?.row?.marks ?? 0;
  if (marks === 0) return;
  reported.add(state);
  const action = `${verb} ${state.name}`;
  if ((marks & PAST_END) !== 0) throw truncated(state, action);
  throw new SyscallError({
    syscall: "mmap",
    errno: errnoNumber("EIO"),
    action: `${action}: a page could not be read, or could not be stored on a full disk`,
  });
}

const reported = new WeakSet<MappingState>();

/** Whether any call has reported a fault of this mapping. */
export function wasReported(state: MappingState): boolean {
  return reported.has(state);
}

/** Describes how much of the file is left. */
export function truncated(state: MappingState, action: string): TruncatedError {
  return shortOf(state, action, 0, state.length);
}

/** Like {@linkcode truncated}, for a range that was used. */
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

/** Shows a range as a view. */
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

/** Copies a range into `target`, and checks that the file still contains all of it. */
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

const EFAULT = -errnoNumber("EFAULT");

/** Lets the kernel copy, which reports a missing page instead of raising a signal. */
function copySome(state: MappingState, offset: number, target: Uint8Array): number {
  const { access, delta, exposed, file, name } = state;
  if (access !== "copy-on-write" && file !== undefined) {
    // One call, which also finds the end of the file within its last page.
    const count = pread(file.fd, target, state.offset + offset);
    // Fails for a file opened with O_DIRECT, if the memory is not aligned.
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

/** Copies and checks a caller's range. */
export function ownRange(range: MappedRange = {}): Checked<MappedRange> {
  if (typeof range !== "object" || range === null) {
    throw new TypeError(`Cannot use ${describe(range)} as a range: expected { offset, length }`);
  }
  const { offset, length } = range;
  return { offset, length } as Checked<MappedRange>;
}

/** The whole mapping. */
export const ALL: Checked<MappedRange> = ownRange();

/**
 * Offset and length, in the region, of the whole pages that hold a range; length 0 if it is empty.
 */
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
