/** Which part of the library joins which two ends. @module */

import { connectionOf } from "../../runtime/find.ts";
import { resolveRange } from "../../options.ts";
import { available } from "../../sys/libc.ts";
import { closeEnd, type End, goBuffered, isFile, openEnd } from "../engine/endpoint.ts";
import { fileToFile } from "../engine/file_to_file.ts";
import { fileToStream } from "../engine/file_to_stream.ts";
import { TransferProgress } from "../engine/progress.ts";
import { snapshot } from "../engine/file/pseudo_files.ts";
import { noPositions, onlyCopies, positionless, refuseOverlap, unsuitable } from "./refusals.ts";
import {
  type ByteSource,
  pumpIterable,
  runtimeSink,
  type RuntimeTarget,
} from "./runtime_endpoints.ts";
import { sendFile } from "../send_file/send_file.ts";
import { pumpStream } from "../engine/splice_loop.ts";
import { DescriptorWriter } from "../engine/descriptor_writer.ts";
import { portableFromFile, portableSink } from "./portable.ts";
import { reporting, withTarget, writerOf } from "./report.ts";
import { fromPositionless } from "./connections.ts";
import { mostBytes, type TransferOptions, type TransferReport } from "./options.ts";

/** Moves bytes from a stream of the runtime, through the runtime. */
export async function fromStream(
  source: ByteSource,
  target: RuntimeTarget | number,
  options: TransferOptions,
): Promise<TransferReport> {
  positionless(options, "the stream");
  onlyCopies(options, "from a stream of the runtime");
  const progress = new TransferProgress(options, mostBytes(options));
  return await reporting(progress, async () => {
    if (typeof target !== "number") {
      const sink = runtimeSink(target);
      await pumpIterable(source, progress.total, (bytes) => sink.write(bytes), progress);
      if (target.kind === "response") target.response.end();
      return;
    }
    if (!available()) {
      const sink = portableSink(target, options.targetOffset);
      return await pumpIterable(source, progress.total, (bytes) => sink.write(bytes), progress);
    }
    await withTarget(target, options, progress, async (end, offset) => {
      goBuffered(end, "target");
      const writer = new DescriptorWriter(end, offset);
      try {
        await pumpIterable(
          source,
          progress.total,
          (bytes) => writer.write(bytes, progress),
          progress,
        );
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
  if (!available()) return await portableFromFile(source, target, options);
  const end = await openEnd(source, "source");
  try {
    if (!isFile(end)) {
      positionless(options, `fd ${source}`);
      const progress = new TransferProgress(options, mostBytes(options));
      return await reporting(
        progress,
        () => fromPositionless({ source: end }, target, options, progress),
      );
    }
    const copy = await snapshot(end.fd, end.status!, options.signal);
    if (copy === undefined) return await fromFile(end, target, options);
    const made = { ...end, given: copy.fd, ...copy, status: undefined };
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
  const progress = new TransferProgress(options, length);
  return await reporting(
    progress,
    () =>
      withTarget(target, options, progress, async (end, targetOffset) => {
        const job = { source, target: end, start, length, targetOffset, chunkSize, progress };
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
    const progress = new TransferProgress(options, length);
    const write = writerOf(runtimeSink(target), progress);
    return await reporting(progress, () =>
      pumpStream({
        source,
        target: null,
        write,
        start,
        length,
        targetOffset: null,
        method: "copy",
        chunkSize,
        progress,
      }));
  }
  const hidden = target.kind === "response" || connectionOf(target) === null;
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
