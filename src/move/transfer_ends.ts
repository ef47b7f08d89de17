/** Which part of the library joins which two ends. @module */

import { guestOf } from "../guest/find.ts";
import { resolveRange } from "../options.ts";
import { available } from "../sys/libc.ts";
import { FileType } from "../sys/statx.ts";
import { closeEnd, type End, goBuffered, isFile, openEnd } from "./ends.ts";
import { fileToFile } from "./file_to_file.ts";
import { fileToStream } from "./file_to_stream.ts";
import { Flow } from "./flow.ts";
import { snapshot } from "./generated.ts";
import { noPositions, onlyCopies, positionless, refuseOverlap, unsuitable } from "./refusals.ts";
import { type ByteSource, pumpIterable, runtimeSink, type RuntimeTarget } from "./runtime_ends.ts";
import { sendFile } from "./send_file.ts";
import { pumpStream } from "./stream_pump.ts";
import { DescriptorWriter } from "./descriptor_writer.ts";
import { floorSink, fromFileOnFloor } from "./transfer_floor.ts";
import { reporting, withTarget, writerOf } from "./transfer_frame.ts";
import { fromPositionless } from "./transfer_guests.ts";
import { mostBytes, type TransferOptions, type TransferReport } from "./transfer_job.ts";

/** Moves bytes from a stream of the runtime, through the runtime. */
export async function fromStream(
  source: ByteSource,
  target: RuntimeTarget | number,
  options: TransferOptions,
): Promise<TransferReport> {
  positionless(options, "the stream");
  onlyCopies(options, "from a stream of the runtime");
  const flow = new Flow(options, mostBytes(options));
  return await reporting(flow, async () => {
    if (typeof target !== "number") {
      const sink = runtimeSink(target);
      await pumpIterable(source, flow.total, (bytes) => sink.write(bytes), flow);
      if (target.kind === "response") target.response.end();
      return;
    }
    if (!available()) {
      const sink = floorSink(target, options.targetOffset);
      return await pumpIterable(source, flow.total, (bytes) => sink.write(bytes), flow);
    }
    await withTarget(target, options, flow, async (end, offset) => {
      goBuffered(end, "target");
      const writer = new DescriptorWriter(end, offset);
      try {
        await pumpIterable(source, flow.total, (bytes) => writer.write(bytes, flow), flow);
      } finally {
        await writer.close();
      }
    });
  });
}

/** Moves bytes from a descriptor. */
export async function fromDescriptor(
  source: number,
  target: RuntimeTarget | number,
  options: TransferOptions,
): Promise<TransferReport> {
  if (!available()) return await fromFileOnFloor(source, target, options);
  const end = openEnd(source, "source");
  try {
    if (!isFile(end)) {
      positionless(options, `fd ${source}`);
      const flow = new Flow(options, mostBytes(options));
      return await reporting(flow, () => fromPositionless({ source: end }, target, options, flow));
    }
    const copy = end.type === FileType.REGULAR ? snapshot(end.fd, end) : undefined;
    if (copy === undefined) return await fromFile(end, target, options);
    const made = { ...end, given: copy.fd, ...copy };
    try {
      return await fromFile(made, target, options);
    } finally {
      closeEnd(made);
    }
  } finally {
    closeEnd(end);
  }
}

async function fromFile(
  source: End,
  target: RuntimeTarget | number,
  options: TransferOptions,
): Promise<TransferReport> {
  const { method = "auto", stability, chunkSize } = options;
  const { start, length } = resolveRange(options, source.size, "transfer bytes");
  if (typeof target !== "number") return await fileToRuntime(source, target, options);
  const flow = new Flow(options, length);
  return await reporting(
    flow,
    () =>
      withTarget(target, options, flow, async (end, targetOffset) => {
        const job = { source, target: end, start, length, targetOffset, chunkSize, flow };
        if (isFile(end)) {
          refuseOverlap(job);
          return await fileToFile({ ...job, method });
        }
        if (method === "range") throw unsuitable(method, source.given, end.given);
        const copies = method === "copy" || stability === "copy";
        if (length > 0) await fileToStream({ ...job, method: copies ? "copy" : method });
      }),
  );
}

async function fileToRuntime(
  source: End,
  target: RuntimeTarget,
  options: TransferOptions,
): Promise<TransferReport> {
  goBuffered(source, "source");
  const { method = "auto", chunkSize } = options;
  if (options.targetOffset !== undefined) throw noPositions("the target");
  if (target.kind === "writable") {
    onlyCopies(options, "to a stream of the runtime");
    const { start, length } = resolveRange(options, source.size, "transfer bytes");
    const flow = new Flow(options, length);
    const write = writerOf(runtimeSink(target), flow);
    return await reporting(flow, () =>
      pumpStream({
        source,
        target: null,
        write,
        start,
        length,
        targetOffset: null,
        method: "copy",
        chunkSize,
        flow,
      }));
  }
  const hidden = target.kind === "response" || guestOf(target) === null;
  if (method !== "sendfile" || hidden) onlyCopies(options, "to a connection of the runtime");
  const connection = target.kind === "response"
    ? target.response
    : target.kind === "deno"
    ? target.conn
    : target.socket;
  const stability = method === "copy" ? "copy" : options.stability;
  const sent = await sendFile(connection, source.fd, { ...options, stability });
  const methods = sent.method === "none" ? [] : [sent.method];
  return { ...sent, methods };
}
