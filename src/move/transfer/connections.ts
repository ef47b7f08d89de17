/** Transfers by the descriptors of connections that the runtime owns. @module */

import type { BorrowedReading } from "../../runtime/borrow.ts";
import { connectionOf } from "../../runtime/find.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ShutdownHow } from "../../sys/flags/socket.ts";
import { connectionClosed } from "../engine/connection_closed.ts";
import { DescriptorWriter } from "../engine/descriptor_writer.ts";
import { goBuffered, socketEnd } from "../engine/endpoint.ts";
import { TransferProgress } from "../engine/progress.ts";
import { ConnectionWriter } from "../engine/connection_writer.ts";
import { noPositions, onlyCopies, positionless, unsuitable } from "./refusals.ts";
import { pumpIterable, runtimeSink, type RuntimeTarget } from "./runtime_endpoints.ts";
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
  const writer = new ConnectionWriter(runtimeConnection, progress);
  try {
    await pumpStream({ ...job, write, give: (pipe, count) => writer.give(pipe, count) });
  } finally {
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
      await pumpBorrowed(reading, first, target, options, progress);
      if (reading.closed()) {
        throw connectionClosed({ syscall: "splice", bytesMoved: progress.bytes });
      }
    });
  } finally {
    raw.close(fd);
    reading.giveBack(rest);
  }
}

async function pumpBorrowed(
  reading: BorrowedReading,
  first: Uint8Array,
  target: RuntimeTarget | number,
  options: TransferOptions,
  progress: TransferProgress,
): Promise<void> {
  const { method = "auto", chunkSize } = options;
  const job: StreamJob = {
    source: socketEnd(reading.fd),
    target: null,
    start: 0,
    length: progress.total - first.length,
    targetOffset: null,
    method,
    chunkSize,
    progress,
    moved: () => reading.touch(),
  };
  if (typeof target !== "number") {
    if (options.targetOffset !== undefined) throw noPositions("the target");
    const sink = runtimeSink(target);
    await pumpIterable(once(first), first.length, (bytes) => sink.write(bytes), progress);
    return await streamToRuntime(job, target);
  }
  await withTarget(target, options, progress, async (end, offset) => {
    if (method === "range" || method === "sendfile") {
      throw unsuitable(method, reading.fd, end.given);
    }
    goBuffered(end, "target");
    const writer = new DescriptorWriter(end, offset, progress);
    try {
      await pumpIterable(once(first), first.length, (bytes) => writer.write(bytes), progress);
    } finally {
      await writer.close();
    }
    const targetOffset = offset === null ? null : offset + first.length;
    await pumpStream({ ...job, target: end, targetOffset });
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield await Promise.resolve(bytes);
}
