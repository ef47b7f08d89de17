/** Options that all transfers share, and their checks. @module */

import type { Names } from "./checked.ts";

/** The range of the source to move. All numbers are bytes. */
export interface RangeOptions {
  /**
   * First byte to move, a safe integer >= 0.
   *
   * @default {0}
   */
  start?: number | undefined;
  /**
   * Last byte to move, inclusive as in `fs.createReadStream` and in HTTP ranges. Cannot be combined
   * with {@linkcode length}.
   *
   * @default {the last byte of the file}
   */
  end?: number | undefined;
  /** Most bytes to move, a safe integer >= 0. Cannot be combined with {@linkcode end}. */
  length?: number | undefined;
}

/** Names of all {@linkcode RangeOptions}. */
export const RANGE_OPTIONS: Names<RangeOptions> = { start: true, end: true, length: true };

/** Progress of a running transfer. */
export interface Progress {
  /** Payload bytes moved so far. */
  bytes: number;
  /** Payload bytes of the whole transfer. */
  total: number;
  /** What moves the bytes; same values as the result's `method`. */
  method: string;
}

/** Options that watch, slow down or stop a transfer. */
export interface FlowOptions {
  /**
   * Stops the transfer. It rejects with an error whose `bytesMoved` counts the bytes moved so far.
   */
  signal?: AbortSignal | undefined;
  /** Called at most every 100 ms while bytes move, and once at the end. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * Most bytes per second, averaged over about 100 ms; a number > 0.
   *
   * @default {no limit}
   */
  maxRate?: number | undefined;
  /**
   * Most bytes in one system call, an integer in 4096..0x7ffff000.
   *
   * @default {512 KiB}
   */
  chunkSize?: number | undefined;
}

/** Names of all {@linkcode FlowOptions}. */
export const FLOW_OPTIONS: Names<FlowOptions> = {
  signal: true,
  onProgress: true,
  maxRate: true,
  chunkSize: true,
};

/** Result of a finished transfer. */
export interface TransferResult {
  /** Payload bytes moved. */
  bytes: number;
  /** What moved the bytes. */
  method: string;
  /** Wall time from the call until the last byte, in milliseconds. */
  durationMs: number;
}

/** Most bytes that one Linux call moves: 2 GiB minus a 4 KiB page. */
export const MAX_COUNT = 0x7fff_f000;

/** Returns `value` if it is a safe integer >= 0; throws otherwise. */
export function wholeNumber(value: unknown, name: string, action: string): number {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${action}: ${name} must be a number, not ${describe(value)}`);
  }
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot ${action}: ${name} is ${value}, but must be a safe integer >= 0`);
  }
  return value;
}

/** Checks a range before the file size is known. */
export function checkRange({ start, end, length }: RangeOptions, action: string): void {
  if (start !== undefined) wholeNumber(start, "start", action);
  if (length !== undefined) wholeNumber(length, "length", action);
  if (end === undefined) return;
  wholeNumber(end, "end", action);
  if (length !== undefined) {
    throw new TypeError(`Cannot ${action}: give end or length, not both`);
  }
  if (end < (start ?? 0)) {
    throw new RangeError(`Cannot ${action}: end ${end} is before start ${start ?? 0}`);
  }
}

/** Resolves a checked range for a file of `size` bytes, and cuts it at the end of the file. */
export function resolveRange(
  { start = 0, end, length }: RangeOptions,
  size: number,
  action: string,
): { start: number; length: number } {
  if (start > size) {
    throw new RangeError(`Cannot ${action} from byte ${start}: the file has ${size} bytes`);
  }
  const wanted = end !== undefined ? end - start + 1 : length ?? size - start;
  return { start, length: Math.min(wanted, size - start) };
}

/** Checks the options of {@linkcode FlowOptions}. */
export function checkFlow(options: FlowOptions, action: string): void {
  const { signal, onProgress, maxRate, chunkSize } = options;
  checkSignal(signal, action);
  checkFunction(onProgress, "onProgress", action);
  if (maxRate !== undefined) {
    mustBe(typeof maxRate === "number", action, "maxRate", "a number", maxRate);
    if (!(maxRate > 0)) {
      throw new RangeError(`Cannot ${action}: maxRate is ${maxRate}, but must be > 0`);
    }
  }
  if (chunkSize !== undefined) {
    wholeNumber(chunkSize, "chunkSize", action);
    if (chunkSize < 4096 || chunkSize > MAX_COUNT) {
      throw new RangeError(
        `Cannot ${action}: chunkSize is ${chunkSize}, but must be in 4096..${MAX_COUNT}`,
      );
    }
  }
}

/** Options that cannot be kept while a file grows. */
const NOT_FOLLOWING = ["targetOffset", "root", "kernelTls", "header", "trailer"];

/** Checks the option `follow`, and that nothing contradicts it. */
export function checkFollow(options: { follow?: boolean | undefined }, action: string): void {
  const { follow } = options;
  mustBe(typeof (follow ?? false) === "boolean", action, "follow", "a boolean", follow);
  if (follow !== true) return;
  const given = options as Record<string, unknown>;
  const other = NOT_FOLLOWING.find((name) => given[name] !== undefined && given[name] !== false);
  if (other !== undefined) {
    throw new TypeError(`Cannot ${action}: follow cannot be combined with ${other}`);
  }
  const method = given["method"] ?? "auto";
  if (method !== "auto") {
    throw new TypeError(`Cannot ${action}: follow needs method "auto", not ${describe(method)}`);
  }
}

/** Returns what a private constructor gets from its own class; throws if somebody else calls it. */
export function own<T>(value: T, kind: new (...args: never[]) => T, instead: string): T {
  if (value instanceof kind) return value;
  throw new TypeError(`Cannot construct the object with "new": use ${instead}`);
}

/** Describes a value for an error message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object") return `${typeof value} ${String(value)}`;
  const name = (value as object).constructor?.name;
  return name ? `an instance of ${name}` : "an object";
}

/** Whether all these properties of an object are functions. */
export function hasMethods(value: object, ...names: string[]): boolean {
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

/** Throws a `TypeError` unless an option fits. */
export function mustBe(
  fits: boolean,
  action: string,
  name: string,
  what: string,
  value: unknown,
): void {
  if (fits) return;
  throw new TypeError(`Cannot ${action}: ${name} must be ${what}, not ${describe(value)}`);
}

/** Throws unless options are an object. */
export function checkObject(options: unknown, action: string): void {
  mustBe(typeof options === "object" && options !== null, action, "options", "an object", options);
}

/** Throws if an option is present and not a function. */
export function checkFunction(value: unknown, name: string, action: string): void {
  mustBe(value === undefined || typeof value === "function", action, name, "a function", value);
}

/** Throws if an option is present and not a signal. */
export function checkSignal(signal: AbortSignal | undefined, action: string): void {
  const fits = signal === undefined || typeof signal?.addEventListener === "function";
  mustBe(fits, action, "signal", "an AbortSignal", signal);
}

/** Throws if an option is present and not one of the known values. */
export function oneOf(
  value: unknown,
  known: readonly string[],
  name: string,
  action: string,
): void {
  const fits = value === undefined || known.includes(value as string);
  mustBe(fits, action, name, `one of ${known.join(", ")}`, value);
}
