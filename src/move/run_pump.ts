/** A pump as a promise, with the copy that takes over where sendfile(2) refuses. @module */

import { Burst } from "../guest/tcp.ts";
import type { Guest } from "../guest/types.ts";
import { copyRange, type Sink } from "./copy.ts";
import type { Flow } from "./flow.ts";
import { sendBytes } from "./engine/connection_output.ts";
import { type Move, pumpFile } from "./pump.ts";
import type { SendFileOptions, SendMethod } from "./send_file.ts";

/** The part of a file to send. */
export interface FileRange {
  readonly fd: number;
  readonly start: number;
  readonly length: number;
}

/** The system call to use instead of sendfile(2), and what it is called in the result. */
export interface Call {
  readonly move: Move;
  readonly method: SendMethod;
}

/**
 * Sends header, file and trailer to a guest in one corked burst, and destroys its connection when
 * that fails half-way.
 */
export async function sendToGuest(
  guest: Guest,
  file: FileRange,
  options: SendFileOptions,
  flow: Flow,
  sink: Sink,
  call?: Call,
): Promise<SendMethod> {
  const { header, trailer, stability } = options;
  const burst = new Burst(guest);
  try {
    if (header !== undefined) await sendBytes(guest, header, flow, true);
    const method = stability === "copy"
      ? await copyRest(file, file.start, sink, flow)
      : await sendRange(guest, file, options, flow, sink, burst, call);
    if (trailer !== undefined) await sendBytes(guest, trailer, flow);
    return method;
  } catch (error) {
    if (flow.bytes > 0 || header !== undefined) guest.destroy();
    throw error;
  } finally {
    burst.end();
  }
}

/** Sends the file alone, by sendfile and, from where that refuses, by copying. */
export async function sendRange(
  guest: Guest,
  file: FileRange,
  options: SendFileOptions,
  flow: Flow,
  sink: Sink,
  burst: Burst,
  call?: Call,
): Promise<SendMethod> {
  if (file.length === 0) return "none";
  const { fd, start, length } = file;
  const window = options.chunkSize;
  const what = { file: fd, start, length, guest, flow, burst, window, ...call };
  const position = await pumpFile(what, true);
  if (position < start + length) return await copyRest(file, position, sink, flow);
  return call?.method ?? "sendfile";
}

/** Copies what is left of a file from `from` on. */
export async function copyRest(
  file: FileRange,
  from: number,
  sink: Sink,
  flow: Flow,
): Promise<SendMethod> {
  if (file.length === 0) return "none";
  const length = file.start + file.length - from;
  await copyRange(file.fd, { start: from, length }, sink, flow);
  return "copy";
}
