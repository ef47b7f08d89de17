/** Moves the bytes of a transfer by the method that suits its ends. @module */

import { partOf } from "../../bytes.ts";
import { errnoNumber, SyscallError, UnsupportedError } from "../../errors.ts";
import { type Connection, connectionOf } from "../../runtime/find.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { ShutdownHow } from "../../sys/flags/socket.ts";
import { FileType, sameFile } from "../../sys/file/statx.ts";
import * as raw from "../../sys/raw/mod.ts";
import { withBody } from "../engine/connection/claim.ts";
import { connectionClosed } from "../engine/connection/closed.ts";
import { ConnectionOutput } from "../engine/connection/output.ts";
import { connected, type RuntimeTarget, type Sink, taken } from "../engine/connection/sink.ts";
import { DescriptorWriter } from "../engine/descriptor_writer.ts";
import { type End, goBuffered, isFile, isRemote, ownEnd } from "../engine/endpoint.ts";
import { type FileJob, fileToFile } from "../engine/file_to_file.ts";
import { fileToStream } from "../engine/file_to_stream.ts";
import type { Input } from "../engine/input.ts";
import { copyRange } from "../engine/portable_copy.ts";
import type { TransferProgress } from "../engine/progress.ts";
import { pumpStream, type StreamJob } from "../engine/splice_loop.ts";
import { sendOpenFile } from "../send_file/send_file.ts";
import type { TransferOptions } from "./options.ts";
import { openOutput, type Output, type SinkOutput } from "./output.ts";

/** The part of an input to move, and its options. */
export interface Job {
  readonly start: number;
  readonly length: number;
  readonly options: TransferOptions;
  readonly progress: TransferProgress;
}

/** Moves bytes from one kind of input. */
type Method<K> = (input: Extract<Input, { kind: K }>, output: Output, job: Job) => Promise<void>;

/** One method for each kind of input. */
const METHODS: { readonly [K in Input["kind"]]: Method<K> } = {
  borrowed: fromConnection,
  file: fromFile,
  portable: ({ fd }, output, job) => copyRange(fd, job, sinkOf(output), job.progress),
  positionless: ({ end }, output, job) => fromPositionless({ source: end }, output, job),
  stream: fromIterable,
};

/** Moves bytes from an input to a target; a response is ended. */
export async function move(input: Input, target: RuntimeTarget | number, job: Job): Promise<void> {
  if (typeof target === "number" || target.kind !== "response") return moveTo(input, target, job);
  const { response } = target;
  await withBody(response, () => moveTo(input, target, job));
  if (!response.writableEnded) response.end();
}

async function moveTo(input: Input, target: RuntimeTarget | number, job: Job): Promise<void> {
  const method = METHODS[input.kind] as Method<Input["kind"]>;
  const output = await openOutput(target, job.options.targetOffset);
  try {
    await method(input, output, job);
    if (output.end === null && output.sink.flush) await taken(output.sink.flush(), job.progress);
  } finally {
    output.close(job.progress.bytes);
  }
}

function sinkOf(output: Output): Sink {
  // Without system calls, every output is a sink.
  return (output as SinkOutput).sink;
}

/** From a file to a descriptor, or to a stream of the runtime. */
async function fromFile({ end: source }: { end: End }, output: Output, job: Job): Promise<void> {
  const { start, length, options, progress } = job;
  const { method = "auto", stability, chunkSize } = options;
  if (output.end === null) {
    goBuffered(source, "source");
    const target = output.target!;
    if (target.kind !== "writable" && target.kind !== "web") {
      return await fileToConnection(source, target, job);
    }
    onlyCopies(options, "to a stream of the runtime");
    return await fromPositionless({ source, start }, output, job);
  }
  const { end: target, offset: targetOffset } = output;
  const what = { source, target, start, length, targetOffset, chunkSize, method, progress };
  if (isFile(target)) {
    refuseOverlap(what);
    return await fileToFile(what);
  }
  if (method === "range") throw unsuitable(method, source, target);
  const copies = method === "copy" || stability === "copy";
  if (length > 0) await fileToStream({ ...what, method: copies ? "copy" : method });
}

/** From a file to a connection: as by {@linkcode sendFile}. */
async function fileToConnection(source: End, target: Connection, job: Job): Promise<void> {
  const { start, length, options, progress } = job;
  const { method = "auto" } = options;
  const hidden = target.kind === "response" || connectionOf(target) === null;
  if (method !== "sendfile" || hidden) onlyCopies(options, "to a connection of the runtime");
  const stability = method === "copy" ? "copy" : options.stability;
  const file = { fd: source.fd, path: undefined, remote: isRemote(source), start, length };
  await sendOpenFile(target, file, { ...options, stability }, progress);
}

/** Refuses to copy a range of a file onto an overlapping range: it would read its own output. */
function refuseOverlap({ source, target, start, length, targetOffset }: FileJob): void {
  if (targetOffset === null || !sameFile(source.fd, target.fd)) return;
  if (start < targetOffset + length && targetOffset < start + length) {
    throw unsuitable("range", source, target, ": the ranges of one file overlap");
  }
}

/** From a connection that the runtime does not read meanwhile. */
async function fromConnection(
  input: Extract<Input, { kind: "borrowed" }>,
  output: Output,
  job: Job,
): Promise<void> {
  const ahead = input.rest.subarray(0, job.length);
  // The owner has no other way to end a wait for our duplicate.
  input.whenClosed(() => void raw.shutdown(input.fd, ShutdownHow.RD));
  input.rest = input.rest.subarray(ahead.length);
  const source = ownEnd(input.fd, FileType.SOCKET);
  await fromPositionless({ source, ahead, moved: () => input.touch() }, output, job);
  if (input.closed()) {
    throw connectionClosed({ syscall: "splice", bytesMoved: job.progress.bytes });
  }
}

/** From a pipe, a socket or a device; a file, to a stream of the runtime. */
async function fromPositionless(
  source: Pick<StreamJob, "source" | "ahead" | "moved"> & { start?: number },
  output: Output,
  { length, options, progress }: Job,
): Promise<void> {
  const { method = "auto", chunkSize } = options;
  const what = { start: 0, ...source, length, method, chunkSize, progress };
  if (output.end === null) return await intoRuntime(what, output);
  const { end: target, offset: targetOffset } = output;
  const { fd, type } = source.source;
  const ring = target.type === FileType.FIFO && type === FileType.FIFO && sameFile(fd, target.fd);
  if (ring || method === "range" || method === "sendfile") {
    throw unsuitable(method, source.source, target);
  }
  goBuffered(target, "target");
  await pumpStream({ ...what, target, targetOffset });
}

/** By splice(2) into a connection that shows its descriptor, else by the runtime's own writes. */
async function intoRuntime(
  what: Omit<StreamJob, "target" | "targetOffset">,
  { sink, target }: SinkOutput,
): Promise<void> {
  const { method, progress } = what;
  const write = async (bytes: Uint8Array) => {
    // Copy the bytes: the runtime may still hold them during the next read.
    await taken(sink.write(bytes.slice()), progress);
    return bytes.length;
  };
  const job = { ...what, target: null, targetOffset: null, write };
  const connection = method === "copy" ? null : await connectionFor(target!);
  if (connection === null) {
    onlyCopies({ method }, "to a stream of the runtime");
    return await pumpStream({ ...job, method: "copy" });
  }
  const writer = new ConnectionOutput(connection, progress);
  try {
    await pumpStream({ ...job, give: (pipe, count) => writer.splice(pipe, count) });
  } finally {
    writer.stop();
    connection.release();
  }
}

async function connectionFor(target: RuntimeTarget): Promise<RuntimeConnection | null> {
  if (target.kind === "writable" || target.kind === "response" || target.kind === "web") {
    return null;
  }
  await connected(target);
  return connectionOf(target);
}

/** From a stream of the runtime; it gets back what it yielded beyond `length`. */
async function fromIterable(
  { open }: Extract<Input, { kind: "stream" }>,
  output: Output,
  { start, length, options, progress }: Job,
): Promise<void> {
  onlyCopies(options, "from a stream of the runtime");
  if (output.end !== null) goBuffered(output.end, "target");
  const writer = output.end && new DescriptorWriter(output.end, output.offset);
  const reader = open(start, length);
  try {
    while (progress.bytes < length) {
      const bytes = await progress.unlessAborted(reader.next(length - progress.bytes));
      if (bytes === null) return;
      const wanted = Math.min(bytes.length, length - progress.bytes);
      reader.giveBack(bytes.subarray(wanted));
      for (let done = 0; done < wanted;) {
        const allowed = await progress.allowed(wanted - done);
        const part = partOf(bytes, done, allowed);
        await taken(writer?.write(part, progress) ?? sinkOf(output).write(part), progress);
        progress.moved(allowed, "copy");
        done += allowed;
      }
    }
  } finally {
    reader.end();
    await writer?.close();
  }
}

/** The error for a method that does not suit these ends. */
function unsuitable(method: string, source: End, target: End, why = ""): SyscallError {
  const syscall = method === "range" ? "copy_file_range" : method === "auto" ? "splice" : method;
  const action = `transfer fd ${source.given} to fd ${target.given}${why}`;
  return new SyscallError({ syscall, errno: errnoNumber("EINVAL"), action });
}

/** Refuses the methods that need a descriptor. */
function onlyCopies({ method = "auto" }: TransferOptions, what: string): void {
  if (method === "auto" || method === "copy") return;
  throw new UnsupportedError({
    action: `use ${method} ${what}`,
    reason: 'it goes through the runtime; use method "auto" or "copy"',
  });
}
