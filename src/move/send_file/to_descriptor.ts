/** Sends to a descriptor that the caller passes as a number. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { REFUSALS } from "../../errno.ts";
import { UnsupportedError } from "../../errors.ts";
import { fdOf } from "../../sys/fd.ts";
import { descriptorConnection } from "../../runtime/descriptor.ts";
import { check } from "../../sys/check.ts";
import * as raw from "../../sys/raw/mod.ts";
import { DONT_SYNC, factsOf, FileType } from "../../sys/file/statx.ts";
import { runBlocking } from "../../threads/blocking/blocking.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { WINDOW } from "../../page_cache/resident.ts";
import type { Sink } from "../engine/connection/sink.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { drive } from "../engine/driver.ts";
import { sendfileStep } from "../engine/step/sendfile.ts";
import { fileToPipeStep } from "../engine/step/splice.ts";
import { sendBytes } from "../engine/connection/output.ts";
import { copyRange } from "../engine/portable_copy.ts";
import { sendToConnection } from "./send_loop.ts";
import type { FileRange, Sender } from "./types.ts";

/** Maximum bytes at once for a device whose buffer size is unknown. */
const DEVICE_BYTES = 4096;

/**
 * Sends to a plain descriptor. Never changes its flags, which others may share.
 *
 * Writes to non-blocking descriptors and pipes from this thread, and waits in between. Writes to a
 * blocking socket in the thread for blocking calls, only once it is writable and only as much as it
 * has room for. Writes to a file also happen there, because they may wait for a disk.
 */
export const sendToDescriptor: Sender<number> = async (target, file, options, progress) => {
  const fd = fdOf(target, "target");
  const action = () => `send to fd ${fd}`;
  const flags = check(raw.fcntl(fd, platform.fcntl.GETFL, 0), "fcntl", action);
  const stat = factsOf(fd, undefined, DONT_SYNC);
  const type = typeof stat === "number" ? check(stat, "statx", action) : stat.type;
  const connection = descriptorConnection(() => fd);
  const sink = descriptorSink(fd, progress);
  if (type === FileType.FIFO) {
    // splice(2) has a flag against waiting for a pipe; sendfile(2) has none.
    const call = { move: fileToPipeStep, method: "splice" } as const;
    return await sendToConnection(connection, file, options, progress, sink, call);
  }
  const waits = type === FileType.SOCKET || type === FileType.CHARACTER;
  if (waits && (flags & platform.open.NONBLOCK) !== 0) {
    return await sendToConnection(connection, file, options, progress, sink);
  }
  const { header, trailer, stability, chunkSize = WINDOW } = options;
  if (header !== undefined) await sendBytes(connection, header, progress);
  if (stability === "copy") await copyRange(file.fd, file, sink, progress);
  else {
    const limit = waits ? Math.min(chunkSize, room(fd)) : chunkSize;
    await sendBlocking(fd, file, limit, waits, progress, sink);
  }
  if (trailer !== undefined) await sendBytes(connection, trailer, progress);
};

const option = new Int32Array(1);

/** Bytes that a blocking socket takes without waiting, once poll(2) reports it writable. */
function room(fd: number): number {
  const { SOL_SOCKET, SO_SNDBUF } = platform.socket;
  if (raw.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, option) < 0) return DEVICE_BYTES;
  // Writable means that a third is free: sk_stream_is_writable() in the kernel's net/sock.h.
  return Math.max(DEVICE_BYTES, option[0]! >> 2);
}

async function sendBlocking(
  fd: number,
  file: FileRange,
  limit: number,
  waits: boolean,
  progress: TransferProgress,
  sink: Sink,
): Promise<void> {
  if (file.length === 0) return;
  const end = file.start + file.length;
  let position = file.start;
  const steps = {
    method: "sendfile",
    patient: true,
    async next() {
      const allowed = await progress.allowed(Math.min(limit, end - position));
      if (waits && allowed > 0) await writable(fd, progress);
      return allowed;
    },
    step: (count: number) => sendSome(fd, file.fd, position, count),
    moved: (count: number) => void (position += count),
    wait() {},
  };
  const result = await drive(steps, progress);
  if (result > 0) return;
  if (REFUSALS.has(result)) {
    return await copyRange(file.fd, { start: position, length: end - position }, sink, progress);
  }
  if (result === 0) throw progress.truncated(`send ${progress.nameOf(file.fd)}`);
  throw progress.failure(result, "sendfile", `send ${progress.nameOf(file.fd)} to fd ${fd}`);
}

/** Runs in the thread; without permission for Workers, in this one. */
async function sendSome(
  fd: number,
  file: number,
  position: number,
  count: number,
): Promise<number> {
  try {
    return await runBlocking("sendfile", fd, file, position, count);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return sendfileStep(fd, file, position, count);
  }
}

async function writable(fd: number, progress: TransferProgress): Promise<void> {
  try {
    await ready(fd, PollEvent.OUT, { signal: progress.signal });
  } catch (error) {
    throw progress.aborted ? progress.abortError() : error;
  }
}

function descriptorSink(fd: number, progress: TransferProgress): Sink {
  const connection = descriptorConnection(() => fd);
  return { write: (bytes) => sendBytes(connection, bytes, progress), destroy() {} };
}
