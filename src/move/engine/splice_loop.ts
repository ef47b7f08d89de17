/** Transfers from sources without positions: pipes, sockets, devices. @module */

import { EAGAIN } from "../../errno.ts";
import { UnsupportedError } from "../../errors.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import * as raw from "../../sys/raw/mod.ts";
import { FileType } from "../../sys/file/statx.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { DescriptorWriter } from "./descriptor_writer.ts";
import { type AwaitedSteps, callOf, drive, isRefusal, type TransferMethod } from "./driver.ts";
import { type End, isFile, verify } from "./endpoint.ts";
import type { TransferProgress } from "./progress.ts";
import { PORTION } from "../../page_cache/read_ahead.ts";
import type { Pipe } from "./pipe.ts";
import { givePipe, pipeShortage, takePipe } from "./pipe_pool.ts";
import {
  fileReader,
  type Give,
  joinStep,
  MemoryStaging,
  PipeStaging,
  type Read,
  readNow,
  type StagingBuffer,
  unreadable,
  unspliceable,
} from "./staging.ts";

/** Bytes after which others get their turn on the event loop. */
const TURN = 2 * 1024 * 1024;

/** Maximum bytes in one call. */
const WINDOW = 1024 * 1024;

/** Milliseconds to pause if a call blocks although both ends are ready. */
const RETRY_MS = 2;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * A transfer from a source without positions to a descriptor or a write of the runtime; a file goes
 * through memory.
 */
export interface StreamJob {
  readonly source: End;
  /** `null` if `write` takes bytes and `give`, if present, the content of a pipe. */
  readonly target: End | null;
  readonly write?: (bytes: Uint8Array) => Promise<number>;
  readonly give?: Give;
  /** Bytes of the source that were read before; they go first, and count. */
  readonly ahead?: Uint8Array;
  /** First byte to read, if the source is a file. */
  readonly start: number;
  /** Maximum bytes to move; `Infinity` for all. */
  readonly length: number;
  /** Position of the first byte in a file; `null` for the end of one that appends. */
  readonly targetOffset: number | null;
  readonly method: TransferMethod | "auto";
  readonly chunkSize: number | undefined;
  readonly progress: TransferProgress;
  /** Called when some bytes have moved. */
  readonly moved?: () => void;
}

/** Moves the bytes of a job until the source ends. */
export async function pumpStream(job: StreamJob): Promise<void> {
  const pump = new StreamPump(job);
  try {
    await pump.run();
  } catch (error) {
    throw Object.assign(error as Error, { bytesHeld: pump.held });
  } finally {
    await pump.end();
  }
}

class StreamPump {
  readonly #job: StreamJob;
  readonly #names: string;
  readonly #writer: DescriptorWriter | null;
  #pipe: Pipe | null = null;
  #staging: StagingBuffer | undefined;
  #moved = 0;
  #sinceTurn = 0;

  constructor(job: StreamJob) {
    this.#job = job;
    const target = job.target === null ? "a stream" : `fd ${job.target.given}`;
    this.#names = `${job.progress.nameOf(job.source.given)} to ${target}`;
    this.#writer = job.target && new DescriptorWriter(job.target, job.targetOffset);
  }

  /** Bytes taken from the source that have not reached the target. */
  get held(): number {
    return this.#staging?.held ?? 0;
  }

  async run(): Promise<void> {
    const { ahead = NOTHING, source, target, give, method } = this.#job;
    const splices = give === undefined ? unspliceable(source, target) : unreadable(source);
    if (method === "splice" && splices !== null) {
      throw new UnsupportedError({ action: `splice ${this.#names}`, reason: splices });
    }
    if (ahead.length > 0) await this.#pass(this.#memory(ahead, () => 0), true);
    if (splices === null && method !== "copy") {
      const last = method === "splice";
      const joined = give === undefined && this.#joined();
      if (joined ? await this.#direct(last) : await this.#staged(last)) return;
    }
    await this.#copied();
  }

  async end(): Promise<void> {
    await this.#writer?.close();
    if (this.#pipe !== null) givePipe(this.#pipe);
    this.#pipe = null;
  }

  /** Whether one end is a pipe, so that splice(2) can join both. */
  #joined(): boolean {
    return [this.#job.source, this.#job.target].some((end) => end?.type === FileType.FIFO);
  }

  /** One splice(2) from end to end. False if it is refused and is not the last method. */
  async #direct(last: boolean): Promise<boolean> {
    const { source } = this.#job;
    const target = this.#job.target!;
    return await this.#drive({
      method: "splice",
      patient: last,
      next: () => this.#allowed(),
      step: isFile(target)
        ? (count) => this.#writer!.splice(source.fd, count)
        : (count) => joinStep(source, target, count),
      wait: () => this.#either(target),
    });
  }

  /** splice(2) into our pipe and on. False if it is refused and is not the last method. */
  async #staged(last: boolean): Promise<boolean> {
    const pipe = this.#pipe = takePipe();
    if (pipe === null) {
      if (!last) return false;
      throw pipeShortage(`splice ${this.#names}`);
    }
    const give = this.#job.give ?? ((from, count) => this.#writer!.splice(from, count));
    return await this.#pass(new PipeStaging(this.#job.source, pipe, give), last);
  }

  /** Copies through memory. */
  async #copied(): Promise<void> {
    const { source, start } = this.#job;
    const read: Read = isFile(source)
      ? fileReader(source, start, PORTION)
      : (into) => readNow(source, into);
    const held = this.#staging instanceof PipeStaging ? this.#staging.takeOut() : NOTHING;
    await this.#pass(this.#memory(held, read), true);
  }

  /** Bytes to send first, and then the bytes read. */
  #memory(held: Uint8Array, read: Read): MemoryStaging {
    return new MemoryStaging(held, read, this.#job.write ?? ((bytes) => this.#writer!.give(bytes)));
  }

  /** From the source into `staging`, and from there to the target. False as of {@linkcode #direct}. */
  async #pass(staging: StagingBuffer, last: boolean): Promise<boolean> {
    this.#staging = staging;
    const { source, target, progress } = this.#job;
    let starves = false;
    return await this.#drive({
      method: staging.method,
      patient: last,
      next: async () => {
        if (staging.held === 0) return await this.#allowed();
        if (progress.aborted) throw progress.abortError();
        return staging.held;
      },
      step: async (count) => {
        starves = staging.held === 0;
        if (starves) {
          const taken = await staging.fill(count);
          if (taken <= 0) return taken;
          starves = false;
        }
        if (target !== null) verify(target, progress.bytes);
        return await staging.deliver() || EAGAIN;
      },
      wait: () =>
        starves || target === null
          ? this.#ready(source, PollEvent.IN)
          : this.#ready(target, PollEvent.OUT),
    });
  }

  /** Runs a method. False when it refuses and is not the last one. */
  async #drive(steps: Omit<AwaitedSteps, "moved">): Promise<boolean> {
    const { progress } = this.#job;
    const result = await drive({ ...steps, moved: (count) => this.#count(count) }, progress);
    if (result >= 0) return true;
    if (!steps.patient && isRefusal(result)) return false;
    throw progress.failure(result, callOf(steps.method, result), `transfer ${this.#names}`);
  }

  /** Number of bytes that may be requested now; 0 once all have been moved. */
  async #allowed(): Promise<number> {
    const { progress, length, chunkSize = WINDOW, source, target } = this.#job;
    const allowed = await progress.allowed(Math.min(length - this.#moved, chunkSize));
    verify(source, progress.bytes);
    if (target !== null) verify(target, progress.bytes);
    return allowed;
  }

  async #count(moved: number): Promise<void> {
    this.#moved += moved;
    this.#job.moved?.();
    this.#sinceTurn += moved;
    if (this.#sinceTurn < TURN) return;
    this.#sinceTurn = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Waits for the end that blocked: the source if it is empty, else the target. */
  async #either(target: End): Promise<void> {
    const { source, progress } = this.#job;
    if (raw.poll(source.fd, PollEvent.IN, 0) === 0) return await this.#ready(source, PollEvent.IN);
    if (raw.poll(target.fd, PollEvent.OUT, 0) === 0) {
      return await this.#ready(target, PollEvent.OUT);
    }
    await progress.unlessAborted(new Promise((resolve) => setTimeout(resolve, RETRY_MS)));
  }

  /** Uses the number that the caller passed: if its owner closes it, the wait ends. */
  async #ready(end: End, events: number): Promise<void> {
    const { progress } = this.#job;
    try {
      await ready(end.given, events, { signal: progress.signal });
    } catch (error) {
      if (progress.aborted) throw progress.abortError();
      throw Object.assign(error as Error, { bytesMoved: progress.bytes });
    }
  }
}
