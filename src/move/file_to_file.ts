/** Transfers from file to file. @module */

import { FileSystem, fileSystemOf } from "../sys/statx.ts";
import { WINDOW } from "../wait/residency.ts";
import { type BlockingCall, elsewhere, here } from "./elsewhere.ts";
import { type End, goBuffered, moveTo, verify } from "./ends.ts";
import type { Flow } from "./flow.ts";
import { Gate } from "./gate.ts";
import type { Pipe } from "./pipe.ts";
import { givePipe, pipeShortage, takePipe } from "./pipe_pool.ts";
import {
  failure,
  isRefusal,
  isTransient,
  pause,
  type TransferMethod,
  truncated,
} from "./transfer_job.ts";

/** Bytes that the thread moves before it looks for other work: 1 to 2 ms when they are cached. */
const TURN = 4 * 1024 * 1024;

/** Bytes from which on a pipe pays for itself: see the figures at `POOLED_CAPACITY`. */
const PIPE_PAYS = 1024 * 1024;

/** From a file to a file. */
export interface FileJob {
  readonly source: End;
  readonly target: End;
  readonly start: number;
  readonly length: number;
  /** Where the first byte goes; `null` for the end of a file that appends. */
  readonly targetOffset: number | null;
  readonly method: TransferMethod | "auto";
  readonly chunkSize: number | undefined;
  readonly flow: Flow;
}

/** Moves the bytes of a job, by one method after the other, each from where the last one stopped. */
export async function fileToFile(job: FileJob): Promise<void> {
  if (job.length === 0) return;
  const mover = new FileMover(job);
  try {
    const methods = job.method === "auto" ? mover.plan() : [job.method];
    for (const [index, method] of methods.entries()) {
      const last = index === methods.length - 1;
      if (await mover.run(method, last)) return;
    }
  } finally {
    await mover.end();
  }
}

class FileMover {
  readonly #job: FileJob;
  readonly #names: string;
  /** Whether the target is memory: writing to it waits for no disk, and needs no thread. */
  readonly #memory: boolean;
  readonly #gate: Gate;
  #moved = 0;
  #pipe: Pipe | null = null;

  constructor(job: FileJob) {
    this.#job = job;
    this.#names = `fd ${job.source.given} to fd ${job.target.given}`;
    this.#memory = fileSystemOf(job.target.fd) === FileSystem.TMPFS;
    // What memory is filled from is asked for in the page cache.
    if (this.#memory) goBuffered(job.source, "source");
    this.#gate = new Gate(job.source.fd, job.start);
  }

  /** The methods to try, in order. */
  plan(): TransferMethod[] {
    const { source, target, length } = this.#job;
    if (target.append || source.direct || target.direct) return ["copy"];
    const type = fileSystemOf(target.fd);
    // Everywhere else the file system may share blocks, or have its server copy them.
    const local = type === FileSystem.EXT || type === FileSystem.TMPFS;
    return local && length >= PIPE_PAYS
      ? ["splice", "range", "copy"]
      : ["range", "sendfile", "copy"];
  }

  /** Moves what is left by one method; false when it refuses and is not the last. */
  async run(method: TransferMethod, last: boolean): Promise<boolean> {
    const { flow, length } = this.#job;
    if (method === "splice" && !this.#takePipe(last)) return false;
    if (method === "sendfile" && this.#job.targetOffset !== null) {
      // It writes at the file position only.
      moveTo(this.#job.target, this.#job.targetOffset + this.#moved);
    }
    while (this.#moved < length) {
      if (flow.aborted) throw flow.abortError();
      verify(this.#job.source, flow.bytes);
      verify(this.#job.target, flow.bytes);
      const allowed = flow.allowance(Math.min(this.#turn(), length - this.#moved));
      if (allowed === 0) {
        await pause(flow);
        continue;
      }
      const moved = await this.#step(method, allowed);
      if (moved > 0) {
        this.#moved += moved;
        flow.moved(moved, method);
      } else if (isTransient(moved)) {
        continue;
      } else if (!last && isRefusal(moved)) {
        return false;
      } else if (moved === 0) {
        throw truncated(this.#names, flow);
      } else if (!this.#goBuffered(method)) {
        throw failure(moved, method, this.#names, flow.bytes);
      }
    }
    return true;
  }

  /** Gives back what was taken; the files themselves are their owner's. */
  async end(): Promise<void> {
    if (this.#pipe !== null) givePipe(this.#pipe);
    await this.#gate.idle;
  }

  #turn(): number {
    return this.#memory ? WINDOW : TURN;
  }

  async #step(method: TransferMethod, count: number): Promise<number> {
    if (!this.#memory) return await elsewhere(...this.#call(method, count));
    const position = this.#job.start + this.#moved;
    const cached = this.#gate.open(position, count);
    if (cached === 0) {
      await this.#gate.fill(position, count);
      return await this.#step(method, count);
    }
    const moved = here(...this.#call(method, cached));
    await new Promise((resolve) => setImmediate(resolve));
    return moved;
  }

  #call(method: TransferMethod, count: number): BlockingCall {
    const { source, target, start, targetOffset, chunkSize = TURN } = this.#job;
    const from = source.fd;
    const out = target.fd;
    const at = start + this.#moved;
    const to = targetOffset === null ? null : targetOffset + this.#moved;
    switch (method) {
      case "range":
        return ["copyRange", from, at, out, to, count, chunkSize];
      case "sendfile":
        return ["sendRange", from, at, out, count, chunkSize];
      case "splice": {
        const { readFd, writeFd } = this.#pipe!;
        return ["spliceThrough", from, at, readFd, writeFd, out, to, count, chunkSize];
      }
      case "copy":
        return ["copyThrough", from, at, out, to, count, chunkSize, 0];
    }
  }

  #takePipe(last: boolean): boolean {
    this.#pipe = takePipe();
    if (this.#pipe !== null) return true;
    if (!last) return false;
    throw pipeShortage(`splice ${this.#names}`);
  }

  /** After `EINVAL` for what `O_DIRECT` cannot do, such as the last bytes of a file. */
  #goBuffered(method: TransferMethod): boolean {
    const { source, target } = this.#job;
    if (method !== "copy") return false;
    const read = goBuffered(source, "source");
    return goBuffered(target, "target") || read;
  }
}
