/** Transfers by the descriptors of connections that the runtime owns. @module */

import type { BorrowedReading } from "../../runtime/borrow.ts";
import { connectionOf } from "../../runtime/find.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ShutdownHow } from "../../sys/flags/socket.ts";
import { FileType, sameFile } from "../../sys/file/statx.ts";
import { connectionClosed } from "../engine/connection/closed.ts";
import { goBuffered, socketEnd } from "../engine/endpoint.ts";
import { TransferProgress } from "../engine/progress.ts";
import { ConnectionOutput } from "../engine/connection/output.ts";
import { noPositions, onlyCopies, positionless, unsuitable } from "./refusals.ts";
import { runtimeSink, type RuntimeTarget } from "./runtime_endpoints.ts";
import { connected } from "../send_file/to_socket.ts";
import { pumpStream, type StreamJob } from "../engine/splice_loop.ts";
import { reporting, withTarget, writerOf } from "./report.ts";
import { mostBytes, type TransferOptions, type TransferReport } from "./options.ts";

/**
 * From a pipe, a socket or a device to what the runtime writes: by splice(2) into a connection that
 * shows its descriptor, else by the runtime's own writes. A response is ended.
 */
export async function streamToRuntime(job: StreamJob, target: RuntimeTarget): Promise<void> {
  const { progress, method } = job;
  const runtimeConnection = method === "copy" ? null : await connectionFor(target);
  if (runtimeConnection === null) {
    onlyCopies({ method } as TransferOptions, "to a stream of the runtime");
  }
  const write = writerOf(runtimeSink(target), progress);
  if (runtimeConnection === null) {
    await pumpStream({ ...job, write, method: "copy" });
    if (target.kind === "response") target.response.end();
    return;
  }
  const writer = new ConnectionOutput(runtimeConnection, progress);
  try {
    await pumpStream({ ...job, write, give: (pipe, count) => writer.splice(pipe, count) });
  } finally {
    writer.stop();
    runtimeConnection.release();
  }
}

async function connectionFor(target: RuntimeTarget): Promise<RuntimeConnection | null> {
  if (target.kind === "writable" || target.kind === "response") return null;
  await connected(target);
  return connectionOf(target);
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
    const progress = new TransferProgress(options, length);
    const first = ahead.subarray(0, length);
    return await reporting(progress, async () => {
      // Its owner has no other way to end what waits for our duplicate.
      reading.whenClosed(() => void raw.shutdown(fd, ShutdownHow.RD));
      rest = ahead.subarray(first.length);
      const source = { source: socketEnd(fd), ahead: first, moved: () => reading.touch() };
      await fromPositionless(source, target, options, progress);
      if (reading.closed()) {
        throw connectionClosed({ syscall: "splice", bytesMoved: progress.bytes });
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
  progress: TransferProgress,
): Promise<void> {
  const { method = "auto", chunkSize } = options;
  const { fd, given } = source.source;
  const job = { ...source, start: 0, length: progress.total, method, chunkSize, progress };
  if (typeof target !== "number") {
    if (options.targetOffset !== undefined) throw noPositions("the target");
    return await streamToRuntime({ ...job, target: null, targetOffset: null }, target);
  }
  await withTarget(target, options, progress, async (end, targetOffset) => {
    const ring = end.type === FileType.FIFO && sameFile(fd, end.fd);
    if (ring || method === "range" || method === "sendfile") {
      throw unsuitable(method, given, end.given);
    }
    goBuffered(end, "target");
    await pumpStream({ ...job, target: end, targetOffset });
  });
}
