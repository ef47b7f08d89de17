/** Options that every transfer takes, and their checks. @module */

import type { Names } from "./checked.ts";

/** Where in the source to begin and to stop. All numbers are bytes. */
export interface RangeOptions {
  /**
   * First byte to move, a safe integer >= 0.
   *
   * @default {0}
   */
  start?: number | undefined;
  /**
   * Last byte to move, inclusive as in `fs.createReadStream` and in HTTP ranges. Not together with
   * {@linkcode length}.
   *
   * @default {the last byte of the file}
   */
  end?: number | undefined;
  /** Most bytes to move, a safe integer >= 0. Not together with {@linkcode end}. */
  length?: number | undefined;
}

/** The names of {@linkcode RangeOptions}. */
export const RANGE_OPTIONS: Names<RangeOptions> = { start: true, end: true, length: true };

/** What a running transfer reports. */
export interface Progress {
  /** Payload bytes moved so far. */
  bytes: number;
  /** Payload bytes that will have been moved at the end. */
  total: number;
  /** What moves them: see the result's `method`. */
  method: string;
}

/** How a transfer is watched, slowed down and stopped. */
export interface FlowOptions {
  /** Stops the transfer. What has been moved by then stands in the error's `bytesMoved`. */
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

/** The names of {@linkcode FlowOptions}. */
export const FLOW_OPTIONS: Names<FlowOptions> = {
  signal: true,
  onProgress: true,
  maxRate: true,
  chunkSize: true,
};

/** What a finished transfer reports. */
export interface TransferResult {
  /** Payload bytes moved. */
  bytes: number;
  /** What moved them. */
  method: string;
  /** Wall time from the call to the last byte, in milliseconds. */
  durationMs: number;
}

/** Most bytes that Linux moves in one call: 2 GiB less one page of 4 KiB. */
export const MAX_COUNT = 0x7fff_f000;

/** Returns `value` when it is a safe integer >= 0, and throws otherwise. */
export function wholeNumber(value: unknown, name: string, action: string): number {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${action}: ${name} must be a number, not ${describe(value)}`);
  }
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot ${action}: ${name} is ${value}, but must be a safe integer >= 0`);
  }
  return value;
}

/** Checks a range on its own, before the file is known. */
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

/** The part of a file of `size` bytes that a checked range names; what lies past its end is cut. */
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

/** Checks the options that steer a transfer. */
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

/** Names a value in an error message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object") return `${typeof value} ${String(value)}`;
  const name = (value as object).constructor?.name;
  return name ? `an instance of ${name}` : "an object";
}

/** Refuses an option that is not what it must be. */
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

/** Refuses options that are no object. */
export function checkObject(options: unknown, action: string): void {
  mustBe(typeof options === "object" && options !== null, action, "options", "an object", options);
}

/** Refuses an option that is there and no function. */
export function checkFunction(value: unknown, name: string, action: string): void {
  mustBe(value === undefined || typeof value === "function", action, name, "a function", value);
}

/** Refuses an option that is there and no signal. */
export function checkSignal(signal: AbortSignal | undefined, action: string): void {
  const fits = signal === undefined || typeof signal?.addEventListener === "function";
  mustBe(fits, action, "signal", "an AbortSignal", signal);
}

/** Refuses an option that is there and none of the values that it can have. */
export function oneOf(
  value: unknown,
  known: readonly string[],
  name: string,
  action: string,
): void {
  const fits = value === undefined || known.includes(value as string);
  mustBe(fits, action, name, `one of ${known.join(", ")}`, value);
}
