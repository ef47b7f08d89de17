/** Sends a file and what is appended to it: the option `follow`. @module */

import type { ServerResponse } from "node:http";
import { builtin } from "../../builtins.ts";
import { TruncatedError } from "../../errors.ts";
import { mediaType } from "../../media_types.ts";
import type { FlowOptions, RangeOptions } from "../../options.ts";
import { hasBody } from "../../runtime/response.ts";
import { CorkGuard } from "../../runtime/tcp.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { openTargetWriter, type TargetWriter } from "../broadcast/target_writer.ts";
import { connectionClosed } from "../engine/connection/closed.ts";
import { sendBytes } from "../engine/connection/output.ts";
import type { RuntimeTarget, Sink } from "../engine/connection/sink.ts";
import { DescriptorWriter } from "../engine/descriptor_writer.ts";
import { rangeOf, type TransferSource } from "../engine/input.ts";
import { copyRange } from "../engine/portable_copy.ts";
import { TransferProgress } from "../engine/progress.ts";
import { pumpFile } from "../engine/sendfile_loop.ts";
import { fileToPipeStep } from "../engine/step/splice.ts";
import type { TransferReport } from "../transfer/options.ts";
import { Changes } from "./changes.ts";
import { FollowedFile, openFollowable, type Stretch } from "./followed_file.ts";

/** What a follower may be told, checked. */
export interface FollowOptions extends RangeOptions, FlowOptions {
  readonly stability?: "shared" | "copy" | undefined;
}

/** Sends a file to a target, and goes on until nothing more can come. */
export async function follow(
  source: TransferSource,
  target: RuntimeTarget | number,
  options: FollowOptions,
  operation: "transfer" | "sendFile",
): Promise<TransferReport> {
  const { signal, length, end } = options;
  const input = await openFollowable(source, signal);
  const { start } = checked(() => rangeOf(input, options, "follow a file"), input);
  const total = length ?? (end === undefined ? Infinity : end - start + 1);
  const progress = new TransferProgress(options, total, operation, source);
  const file = new FollowedFile(source, input, start);
  try {
    return await progress.report(async () => {
      const path = pathOf(source);
      if (!begun(target, path)) return;
      await new Follower(file, await openTargetWriter(target, Infinity), options, progress)
        .run(new Changes(file, path), eventsOf(target));
    });
  } finally {
    file.close();
  }
}

function pathOf(source: TransferSource): string | undefined {
  if (source instanceof URL) return builtin("url").fileURLToPath(source);
  return typeof source === "string" ? source : undefined;
}

function checked<T>(task: () => T, input: { close(): void }): T {
  try {
    return task();
  } catch (error) {
    input.close();
    throw error;
  }
}

/** Sends the head of a response, whose body may begin much later; false if there is no body. */
function begun(target: RuntimeTarget | number, path: string | undefined): boolean {
  if (typeof target === "number" || target.kind !== "response") return true;
  const { response } = target;
  if (!response.headersSent && !response.hasHeader("content-type")) {
    response.setHeader("Content-Type", mediaType(path ?? ""));
  }
  if (!hasBody(response)) return response.end(), false;
  response.flushHeaders();
  return true;
}

/** The object that tells when a target is closed, if it tells at all. */
type Emitter = Pick<ServerResponse, "once" | "off" | "destroyed">;

function eventsOf(target: RuntimeTarget | number): Emitter | undefined {
  if (typeof target === "number") return undefined;
  switch (target.kind) {
    case "response":
      return target.response;
    case "socket":
      return target.socket as unknown as Emitter;
    case "writable":
      return target.stream as unknown as Emitter;
    default:
      return undefined;
  }
}

const GONE = PollEvent.ERR | PollEvent.HUP | PollEvent.NVAL;

/** Sends stretch after stretch to one target. */
class Follower {
  readonly #file: FollowedFile;
  readonly #writer: TargetWriter;
  readonly #options: FollowOptions;
  readonly #progress: TransferProgress;
  /** Takes bytes, for all that cannot be sent by a system call. */
  readonly #sink: Sink;
  readonly #descriptor: DescriptorWriter | null;

  constructor(
    file: FollowedFile,
    writer: TargetWriter,
    options: FollowOptions,
    progress: TransferProgress,
  ) {
    this.#file = file;
    this.#writer = writer;
    this.#options = options;
    this.#progress = progress;
    const { connection, file: end, sink } = writer;
    const descriptor = this.#descriptor = end && new DescriptorWriter(end, null);
    const write = descriptor === null
      ? (bytes: Uint8Array) => sendBytes(connection!, bytes, progress)
      : (bytes: Uint8Array) => descriptor.write(bytes, progress);
    this.#sink = sink ?? { write, destroy() {} };
  }

  async run(changes: Changes, events: Emitter | undefined): Promise<void> {
    const ring = () => changes.ring();
    events?.once("close", ring);
    try {
      while (this.#progress.bytes < this.#progress.total) {
        const stretch = await this.#progress.unlessAborted(this.#file.next(this.#progress.bytes));
        if (stretch === "end") break;
        if (stretch !== null) await this.#send(stretch);
        else if (events?.destroyed || this.#gone()) throw this.#closed();
        else await this.#progress.idle(changes.wait());
      }
      if (this.#sink.flush) await this.#progress.unlessAborted(this.#sink.flush());
      this.#writer.finish(this.#progress.bytes);
    } catch (error) {
      this.#writer.cut();
      throw error;
    } finally {
      events?.off("close", ring);
      changes.close();
      await this.#descriptor?.close();
      this.#writer.release();
    }
  }

  /** Whether the target takes no more, as far as it can be known without writing. */
  #gone(): boolean {
    const { connection } = this.#writer;
    if (connection === null) return this.#sink.closed?.() ?? false;
    const fd = connection.fd();
    return fd < 0 || (raw.poll(fd, 0, 0) & GONE) !== 0;
  }

  #closed(): Error {
    return connectionClosed({ syscall: "sendfile", bytesMoved: this.#progress.bytes });
  }

  async #send({ fd, start, length, remote }: Stretch): Promise<void> {
    const progress = this.#progress;
    const before = progress.bytes;
    const count = Math.min(length, progress.total - before);
    try {
      const { connection, splices, toPipe } = this.#writer;
      let sent = start;
      const pages = splices && !remote && this.#options.stability !== "copy";
      if (pages && connection !== null) {
        const cork = new CorkGuard(connection);
        const call = toPipe ? { move: fileToPipeStep, method: "splice" } : undefined;
        const window = this.#options.chunkSize;
        const what = { file: fd, start, length: count, connection, progress, cork, window };
        try {
          sent = await pumpFile({ ...what, ...call }, true);
        } finally {
          cork.end();
        }
      }
      const rest = start + count - sent;
      if (rest > 0) await copyRange(fd, { start: sent, length: rest }, this.#sink, progress);
    } catch (error) {
      // The file is shorter now; the next look at it says what it has.
      if (!(error instanceof TruncatedError)) throw error;
    } finally {
      this.#file.advance(progress.bytes - before);
    }
  }
}
