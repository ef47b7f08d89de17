/** Transfers from file to file. @module */

import { EOPNOTSUPP, EXHAUSTIONS } from "../../errno.ts";
import { fileSystemOf, type Mount, mountOf } from "../../sys/file/mounts.ts";
import { FileSystem } from "../../sys/file/statx.ts";
import type { CALLS } from "../../threads/blocking/blocking_calls.ts";
import { onMount } from "../../threads/blocking/files.ts";
import { WINDOW } from "../../page_cache/resident.ts";
import { CacheDropper } from "./file/cache_dropper.ts";
import { type BlockingCall, runInline, runOffThread } from "./file/off_loop.ts";
import { type End, goBuffered, moveTo, reopenBuffered, verify } from "./endpoint.ts";
import { callOf, drive, isRefusal, type TransferMethod } from "./driver.ts";
import type { TransferProgress } from "./progress.ts";
import { ReadAhead } from "../../page_cache/read_ahead.ts";
import type { Pipe } from "./pipe.ts";
import { givePipe, pipeShortage, takePipe } from "./pipe_pool.ts";

/**
 * Bytes that the thread moves before it looks for other work: 4 to 5 ms when they are cached. With 4 MiB
 * 256 MiB took 85 ms on Node.js and 76 on Bun, with 16 MiB 70 and 59 (measured on ext4, warm).
 */
const TURN = 16 * 1024 * 1024;

/** Bytes from which on a pipe pays for itself: see `PIPE_BYTES`. */
const PIPE_PAYS = 1024 * 1024;

/** How bytes can be made to move from file to file; `"direct"` wants both open with `O_DIRECT`. */
export type FileMethod = TransferMethod | "direct" | "mmap";

/** Alignment that suits every device: `O_DIRECT` wants 512 or 4096 bytes. */
const BLOCK = 4096;

/** From a file to a file. */
export interface FileJob {
  readonly source: End;
  readonly target: End;
  readonly start: number;
  readonly length: number;
  /** Where the first byte goes; `null` for the end of a file that appends. */
  readonly targetOffset: number | null;
  readonly method: FileMethod | "auto";
  readonly chunkSize: number | undefined;
  /** Keeps what was not in the page cache out of it. */
  readonly drops?: boolean;
  readonly progress: TransferProgress;
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
  /** The mount of an end that another machine or another program has: its threads move the bytes. */
  readonly #far: Mount | undefined;
  readonly #gate: ReadAhead;
  readonly #dropper: CacheDropper | undefined;
  #moved = 0;
  #pipe: Pipe | null = null;

  constructor(job: FileJob) {
    this.#job = job;
    this.#names = `${job.progress.nameOf(job.source.given)} to fd ${job.target.given}`;
    this.#far = [job.source, job.target].map(({ fd }) => mountOf(fd))
      .find(({ storage }) => storage === "remote");
    this.#memory = this.#far === undefined && fileSystemOf(job.target.fd) === FileSystem.TMPFS;
    const { source, target, start, targetOffset, length } = job;
    if (job.drops) {
      const to = targetOffset ?? 0;
      this.#dropper = new CacheDropper(source.fd, target.fd, start, to, length);
    }
    // What memory is filled from is asked for in the page cache.
    if (this.#memory) goBuffered(job.source, "source");
    this.#gate = new ReadAhead(job.source.fd, job.start);
  }

  /** The methods to try, in order. */
  plan(): FileMethod[] {
    const { source, target, length, drops } = this.#job;
    if (drops || target.append || source.direct || target.direct) return ["copy"];
    const type = fileSystemOf(target.fd);
    // Everywhere else the file system may share blocks, or have its server copy them.
    const local = type === FileSystem.EXT || type === FileSystem.TMPFS;
    return local && length >= PIPE_PAYS
      ? ["splice", "range", "copy"]
      : ["range", "sendfile", "copy"];
  }

  /** Moves the rest by one method; false if it is refused and is not the last. */
  async run(method: FileMethod, last: boolean): Promise<boolean> {
    const { source, target, progress, length } = this.#job;
    if (method === "splice" && !this.#takePipe(last)) return false;
    if (method === "sendfile" && this.#job.targetOffset !== null) {
      // It writes at the file position only.
      moveTo(target, this.#job.targetOffset + this.#moved);
    }
    const steps = {
      method,
      patient: last && method !== "mmap",
      next: async () => {
        const allowed = await progress.allowed(Math.min(this.#turn(), length - this.#moved));
        verify(source, progress.bytes);
        verify(target, progress.bytes);
        return allowed;
      },
      step: (count: number) => this.#step(method, count),
      moved: (count: number) => {
        this.#moved += count;
        return this.#dropper?.wrote(count);
      },
      wait() {},
    };
    for (;;) {
      const result = await drive(steps, progress);
      if (result > 0) return true;
      if (result === EOPNOTSUPP && this.#dropper?.simplify()) continue;
      if (!last && isRefusal(result)) return false;
      const action = `transfer ${this.#names}`;
      if (result === 0) throw progress.truncated(action);
      if (!this.#goBuffered(method)) throw progress.failure(result, callOf(method, result), action);
    }
  }

  /** Gives back what was taken; the files themselves are their owner's. */
  async end(): Promise<void> {
    if (this.#pipe !== null) givePipe(this.#pipe);
    await this.#dropper?.end();
    await this.#gate.idle;
  }

  #turn(): number {
    return this.#memory ? WINDOW : TURN;
  }

  async #step(method: FileMethod, count: number): Promise<number> {
    if (this.#far !== undefined) {
      const [name, ...args] = this.#call(method, count);
      return await onMount(this.#far, name, ...args as Parameters<typeof CALLS[typeof name]>);
    }
    if (!this.#memory) return await runOffThread(...this.#call(method, count));
    const position = this.#job.start + this.#moved;
    const cached = this.#gate.open(position, count);
    if (cached === 0) {
      await this.#gate.fill(position, count);
      return await this.#step(method, count);
    }
    const moved = runInline(...this.#call(method, cached));
    await new Promise((resolve) => setImmediate(resolve));
    return moved;
  }

  #call(method: FileMethod, count: number): BlockingCall {
    const { source, target, start, targetOffset, chunkSize = TURN } = this.#job;
    const from = source.fd;
    const out = target.fd;
    const at = start + this.#moved;
    const to = targetOffset === null ? null : targetOffset + this.#moved;
    switch (method) {
      case "range":
        return ["copyRange", from, at, out, to, count, chunkSize];
      case "sendfile":
        return ["sendRange", from, at, out, null, count, chunkSize];
      case "splice": {
        const { readFd, writeFd } = this.#pipe!;
        return ["spliceThrough", from, at, readFd, writeFd, out, to, count, chunkSize];
      }
      case "mmap":
        return ["mapThrough", from, at, out, to, count];
      case "direct": {
        // The last bytes, less than a block, are refused, and go through the page cache.
        const whole = source.direct && count > BLOCK ? count - count % BLOCK : count;
        return ["copyThrough", from, at, out, to, whole, chunkSize, 0];
      }
      case "copy":
        return ["copyThrough", from, at, out, to, count, chunkSize, this.#dropper?.readFlags ?? 0];
    }
  }

  #takePipe(last: boolean): boolean {
    this.#pipe = takePipe();
    if (this.#pipe !== null) return true;
    if (!last) return false;
    throw pipeShortage(`splice ${this.#names}`);
  }

  /** After `EINVAL` for what `O_DIRECT` cannot do, such as the last bytes of a file. */
  #goBuffered(method: FileMethod): boolean {
    const { source, target, progress } = this.#job;
    if (method !== "copy" && method !== "direct") return false;
    let changed = false;
    for (const [end, role] of [[source, "source"], [target, "target"]] as const) {
      if (!end.direct) continue;
      const result = reopenBuffered(end, role);
      if (result === 0) changed = true;
      // Of any other failure the refusal itself tells more.
      else if (EXHAUSTIONS.has(result)) {
        throw progress.failure(result, "open", `transfer ${this.#names}`);
      }
    }
    return changed;
  }
}
