/** Transfers by the descriptors of connections that the runtime owns. @module */

import type { BorrowedReading } from "../guest/borrow.ts";
import { guestOf } from "../guest/find.ts";
import type { Guest } from "../guest/types.ts";
import * as raw from "../sys/raw/mod.ts";
import { ShutdownHow } from "../sys/socket_flags.ts";
import { FileType, sameFile } from "../sys/statx.ts";
import { connectionClosed } from "./closed.ts";
import { goBuffered, socketEnd } from "./ends.ts";
import { Flow } from "./flow.ts";
import { ConnectionOutput } from "./engine/connection_output.ts";
import { noPositions, onlyCopies, positionless, unsuitable } from "./refusals.ts";
import { runtimeSink, type RuntimeTarget } from "./runtime_ends.ts";
import { connected } from "./send_to_socket.ts";
import { pumpStream, type StreamJob } from "./stream_pump.ts";
import { reporting, withTarget, writerOf } from "./transfer_frame.ts";
import { mostBytes, type TransferOptions, type TransferReport } from "./transfer_job.ts";

/**
 * From a pipe, a socket or a device to what the runtime writes: by splice(2) into a connection that
 * shows its descriptor, else by the runtime's own writes. A response is ended.
 */
export async function streamToRuntime(job: StreamJob, target: RuntimeTarget): Promise<void> {
  const { flow, method } = job;
  const guest = method === "copy" ? null : await guestFor(target);
  if (guest === null) onlyCopies({ method } as TransferOptions, "to a stream of the runtime");
  const write = writerOf(runtimeSink(target), flow);
  if (guest === null) {
    await pumpStream({ ...job, write, method: "copy" });
    if (target.kind === "response") target.response.end();
    return;
  }
  const writer = new ConnectionOutput(guest, flow);
  try {
    await pumpStream({ ...job, write, give: (pipe, count) => writer.splice(pipe, count) });
  } finally {
    writer.stop();
    guest.release();
  }
}

async function guestFor(target: RuntimeTarget): Promise<Guest | null> {
  if (target.kind === "writable" || target.kind === "response") return null;
  await connected(target);
  return guestOf(target);
}

/** From a connection that the runtime does not read meanwhile; it is given back in the end. */
export async function fromBorrowed(
  reading: BorrowedReading,
  target: RuntimeTarget | number,
  options: TransferOptions,
): Promise<TransferReport> {
  const { fd, ahead } = reading;
  const length = mostBytes(options);
  let rest = ahead;
  try {
    positionless(options, "the connection");
    const flow = new Flow(options, length);
    const first = ahead.subarray(0, length);
    return await reporting(flow, async () => {
      // Its owner has no other way to end what waits for our duplicate.
      reading.whenClosed(() => void raw.shutdown(fd, ShutdownHow.RD));
      rest = ahead.subarray(first.length);
      const source = { source: socketEnd(fd), ahead: first, moved: () => reading.touch() };
      await fromPositionless(source, target, options, flow);
      if (reading.closed()) {
        throw connectionClosed({ syscall: "splice", bytesMoved: flow.bytes });
      }
    });
  } finally {
    raw.close(fd);
    reading.giveBack(rest);
  }
}

/**
 * From what has no positions to any target.
 *
 * @throws {SyscallError} When `method` does not suit, or an offset is given where there are none.
 */
export async function fromPositionless(
  source: Pick<StreamJob, "source" | "ahead" | "moved">,
  target: RuntimeTarget | number,
  options: TransferOptions,
  flow: Flow,
): Promise<void> {
  const { method = "auto", chunkSize } = options;
  const { fd, given } = source.source;
  const job = { ...source, start: 0, length: flow.total, method, chunkSize, flow };
  if (typeof target !== "number") {
    if (options.targetOffset !== undefined) throw noPositions("the target");
    return await streamToRuntime({ ...job, target: null, targetOffset: null }, target);
  }
  await withTarget(target, options, flow, async (end, targetOffset) => {
    const ring = end.type === FileType.FIFO && sameFile(fd, end.fd);
    if (ring || method === "range" || method === "sendfile") {
      throw unsuitable(method, given, end.given);
    }
    goBuffered(end, "target");
    await pumpStream({ ...job, target: end, targetOffset });
  });
}
