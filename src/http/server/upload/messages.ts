/** Messages between a serving thread and the thread that stores uploads. @module */

/** What the thread is asked for. */
export const UploadCall = {
  /** Begins a file; the rest of the message is a {@linkcode NewFile}. Result: a handle. */
  BEGIN: 1,
  /** Moves bytes from a pipe to the file. Result: their number. */
  STORE: 2,
  /** Gives the file its name. Result: 0 for a new file, 1 for one that replaces another. */
  FINISH: 3,
  /** Removes the file. Result: 0. */
  DISCARD: 4,
} as const;

/** A file to begin, as JSON. */
export interface NewFile {
  /** Index of the root. */
  readonly site: number;
  /** Path of its folder below the root; `.` is the root. */
  readonly folder: string;
  readonly name: string;
  readonly overwrite: boolean;
  /** Whether a file of that name must exist. */
  readonly existing: boolean;
  /** Bytes to come, as far as they are known. */
  readonly bytes: number;
}

/** A request: `{ u8 call, u32 handle, u32 pipe, f64 count }`, without padding. */
export interface UploadMessage {
  readonly call: number;
  readonly handle: number;
  readonly pipe: number;
  readonly count: number;
}

const MESSAGE_BYTES = 17;
const RESULT_BYTES = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes a request to begin a file. */
export function beginMessage(file: NewFile): Uint8Array {
  const text = encoder.encode(JSON.stringify(file));
  const bytes = new Uint8Array(1 + text.length);
  bytes[0] = UploadCall.BEGIN;
  bytes.set(text, 1);
  return bytes;
}

/** Decodes it. */
export function newFileOf(message: Uint8Array): NewFile {
  return JSON.parse(decoder.decode(message.subarray(1))) as NewFile;
}

/** Encodes any other request. */
export function callMessage(call: number, handle: number, pipe = 0, count = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(MESSAGE_BYTES));
  view.setUint8(0, call);
  view.setUint32(1, handle, true);
  view.setUint32(5, pipe, true);
  view.setFloat64(9, count, true);
  return new Uint8Array(view.buffer);
}

/** Decodes it. */
export function callOf(message: Uint8Array): UploadMessage {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  return {
    call: view.getUint8(0),
    handle: view.getUint32(1, true),
    pipe: view.getUint32(5, true),
    count: view.getFloat64(9, true),
  };
}

/** Encodes a result: a number >= 0, or `-errno`. */
export function resultMessage(result: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(RESULT_BYTES));
  view.setFloat64(0, result, true);
  return new Uint8Array(view.buffer);
}

/** Decodes it. */
export function resultOf(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getFloat64(0, true);
}
