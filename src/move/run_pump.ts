/** A pump as a promise, with the copy that takes over where sendfile(2) refuses. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { errnoName, SyscallError } from "../errors.ts";
import { Burst } from "../guest/tcp.ts";
import type { Guest } from "../guest/types.ts";
import { PollEvent } from "../sys/event_flags.ts";
import * as raw from "../sys/raw/mod.ts";
import { isLocal } from "../wait/files.ts";
import { ready } from "../wait/ready.ts";
import { connectionClosed } from "./closed.ts";
import { copyRange, type Sink, taken } from "./copy.ts";
import type { Flow } from "./flow.ts";
import { type Move, Pump } from "./pump.ts";
import type { SendFileOptions, SendMethod } from "./send_file.ts";

const { DONTWAIT, NOSIGNAL, MORE } = platform.message;

/** What sendfile(2) says of a file or a target that it cannot do: a copy can. See sendfile(2), NOTES. */
export const UNSUPPORTED: ReadonlySet<string> = new Set([
  "EINVAL", // the file cannot be mapped (procfs, FUSE), or the target appends
  "ENOSYS", // an emulated kernel
  "EOPNOTSUPP", // network file systems
  "EPERM", // seccomp
  "EOVERFLOW", // network file systems, large offsets
]);

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
    if (header !== undefined) await sendBytes(guest, header, flow);
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
  // Even what is in the page cache may be asked for again where another machine has the file.
  if (!isLocal(file.fd)) return await copyRest(file, file.start, sink, flow);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { start, length } = file;
  const window = options.chunkSize;
  const { move, method } = call ?? {};
  const pump = new Pump(
    { file: file.fd, start, length, guest, flow, burst, window, move, method },
    (end) => end === undefined ? resolve() : reject(end),
  );
  try {
    pump.start();
    await promise;
    return method ?? "sendfile";
  } catch (error) {
    if (!(error instanceof SyscallError && UNSUPPORTED.has(error.code))) throw error;
    return await copyRest(file, pump.position, sink, flow);
  } finally {
    await pump.idle;
  }
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

/**
 * Sends bytes of our own ahead of what follows: straight to the kernel where nothing is queued, by
 * the runtime where something is, or where the socket is full.
 */
export async function sendBytes(guest: Guest, bytes: Uint8Array, flow: Flow): Promise<void> {
  while (bytes.length > 0) {
    const fd = guest.fd();
    if (fd < 0) throw connectionClosed({ syscall: "send", bytesMoved: flow.bytes });
    if (!guest.queued()) bytes = bytes.subarray(sendNow(fd, bytes, flow));
    if (bytes.length === 0) return;
    if (guest.write !== null) return await taken(writeAll(guest, bytes), flow);
    await taken(ready(fd, PollEvent.OUT), flow);
  }
}

/** Bytes that every pipe with a free slot takes: see pipe(7), "PIPE_BUF". */
const PIPE_BUF = 4096;

/** How many bytes the kernel takes without waiting. */
function sendNow(fd: number, bytes: Uint8Array, { bytes: bytesMoved }: Flow): number {
  let sent = raw.send(fd, bytes, DONTWAIT | NOSIGNAL | MORE);
  if (errnoName(-sent) === "ENOTSOCK") {
    if (raw.poll(fd, PollEvent.OUT, 0) === 0) return 0;
    sent = raw.write(fd, bytes.subarray(0, PIPE_BUF));
  }
  if (sent >= 0) return sent;
  const code = errnoName(-sent);
  if (code === "EAGAIN" || code === "EINTR") return 0;
  throw code === "EPIPE" || code === "ECONNRESET"
    ? connectionClosed({ syscall: "send", code, bytesMoved })
    : new SyscallError({
      syscall: "send",
      errno: -sent,
      action: `send bytes to fd ${fd}`,
      bytesMoved,
    });
}

function writeAll(guest: Guest, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    guest.write!(bytes, (error) => error ? reject(error) : resolve());
  });
}
