/** Gives one message to many members: by tee(2) and splice(2), or through a buffer. @module */

import * as sys from "../../src/sys/mod.ts";

const { raw } = sys;
const { NONBLOCK } = sys.SpliceFlag;
const { NOSIGNAL } = sys.MessageFlag;
const EAGAIN = -11;

/** Most bytes of one message, and most bytes that wait for one member. */
export const MOST_BYTES: number = 256 * 1024;

/** How a member took a message: completely, partly, or not at all because it must leave. */
export type Outcome = "taken" | "waiting" | "slow" | "gone";

/** A way of giving a message to many. */
export interface FanOut {
  /** Takes a message from a member: its bytes, 0 at the end, or `-errno`. */
  take(fd: number): number;
  /** Gives the message to a member, after everything that still waits for it. */
  give(fd: number): Outcome;
  /** Sends more of what waits for a member. */
  flush(fd: number): Outcome;
  /** Ends the message: all members have been given it. */
  done(): void;
  /** Drops what waits for a member that has left. */
  forget(fd: number): void;
  close(): void;
}

/** A pipe, and the bytes in it. */
interface HeldPipe {
  readonly read: number;
  readonly write: number;
  held: number;
}

/**
 * Keeps messages in the kernel. A message lies in one pipe; tee(2) duplicates it into a second one,
 * and splice(2) moves it from there to the member. No page is copied. A member that takes only a
 * part keeps the second pipe until it has taken the rest, so only slow members have pipes.
 *
 * A pipe has one slot for each piece of a message. So many small messages fill a pipe before their
 * bytes do.
 */
export class TeeFanOut implements FanOut {
  #message = openPipe();
  #copy = openPipe();
  readonly #waiting = new Map<number, HeldPipe>();
  readonly #nowhere = sys.open("/dev/null", sys.OpenFlag.WRONLY | sys.OpenFlag.CLOEXEC);

  take(fd: number): number {
    const count = raw.splice(fd, null, this.#message.write, null, MOST_BYTES, NONBLOCK);
    this.#message.held = Math.max(count, 0);
    return count;
  }

  give(fd: number): Outcome {
    const { read, held } = this.#message;
    const pipe = this.#waiting.get(fd);
    if (pipe !== undefined) {
      // If only a part fits, the member would miss the rest.
      const count = raw.tee(read, pipe.write, held, NONBLOCK);
      if (count !== held) return "slow";
      pipe.held += count;
      return "waiting";
    }
    const copy = this.#copy;
    copy.held = raw.tee(read, copy.write, held, NONBLOCK);
    const outcome = copy.held === held ? send(copy, fd) : "slow";
    if (outcome === "waiting") {
      this.#waiting.set(fd, copy);
      this.#copy = openPipe();
    } else if (outcome !== "taken") {
      this.#empty(copy);
    }
    return outcome;
  }

  flush(fd: number): Outcome {
    const pipe = this.#waiting.get(fd);
    if (pipe === undefined) return "taken";
    const outcome = send(pipe, fd);
    if (outcome === "taken") this.forget(fd);
    return outcome;
  }

  done(): void {
    this.#empty(this.#message);
  }

  forget(fd: number): void {
    const pipe = this.#waiting.get(fd);
    if (pipe === undefined) return;
    this.#waiting.delete(fd);
    closePipe(pipe);
  }

  close(): void {
    for (const pipe of [this.#message, this.#copy, ...this.#waiting.values()]) closePipe(pipe);
    sys.close(this.#nowhere);
  }

  #empty(pipe: HeldPipe): void {
    while (pipe.held > 0) {
      pipe.held -= sys.splice(pipe.read, null, this.#nowhere, null, pipe.held);
    }
  }
}

/** Moves bytes from a pipe to a member until it takes no more. */
function send(pipe: HeldPipe, fd: number): Outcome {
  while (pipe.held > 0) {
    const count = raw.splice(pipe.read, null, fd, null, pipe.held, NONBLOCK);
    if (count === EAGAIN) return "waiting";
    if (count <= 0) return "gone";
    pipe.held -= count;
  }
  return "taken";
}

function openPipe(): HeldPipe {
  const [read, write] = sys.pipe2(sys.OpenFlag.NONBLOCK | sys.OpenFlag.CLOEXEC);
  try {
    // Refused to users who have many large pipes. A smaller one holds less.
    sys.setPipeSize(write, MOST_BYTES);
  } catch (error) {
    if ((error as { code?: string }).code !== "EPERM") throw error;
  }
  return { read, write, held: 0 };
}

function closePipe({ read, write }: HeldPipe): void {
  sys.close(read);
  sys.close(write);
}

/** Copies messages into a buffer of this process, and from there to each member. */
export class BufferFanOut implements FanOut {
  readonly #buffer = new Uint8Array(MOST_BYTES);
  #message = this.#buffer.subarray(0, 0);
  readonly #waiting = new Map<number, { chunks: Uint8Array[]; bytes: number }>();
  /** A copy for members that are slow; they share it. */
  #kept: Uint8Array | undefined;

  take(fd: number): number {
    const count = raw.recv(fd, this.#buffer, 0);
    this.#message = this.#buffer.subarray(0, Math.max(count, 0));
    return count;
  }

  give(fd: number): Outcome {
    const message = this.#message;
    const waiting = this.#waiting.get(fd);
    if (waiting !== undefined) {
      if (waiting.bytes + message.length > MOST_BYTES) return "slow";
      waiting.chunks.push(this.#keep());
      waiting.bytes += message.length;
      return "waiting";
    }
    const count = raw.send(fd, message, NOSIGNAL);
    if (count === message.length) return "taken";
    if (count < 0 && count !== EAGAIN) return "gone";
    const rest = this.#keep().subarray(Math.max(count, 0));
    this.#waiting.set(fd, { chunks: [rest], bytes: rest.length });
    return "waiting";
  }

  flush(fd: number): Outcome {
    const waiting = this.#waiting.get(fd);
    while (waiting !== undefined && waiting.chunks.length > 0) {
      const chunk = waiting.chunks[0]!;
      const count = raw.send(fd, chunk, NOSIGNAL);
      if (count === EAGAIN) return "waiting";
      if (count < 0) return "gone";
      waiting.bytes -= count;
      if (count === chunk.length) waiting.chunks.shift();
      else waiting.chunks[0] = chunk.subarray(count);
    }
    this.#waiting.delete(fd);
    return "taken";
  }

  done(): void {
    this.#kept = undefined;
  }

  forget(fd: number): void {
    this.#waiting.delete(fd);
  }

  close(): void {}

  #keep(): Uint8Array {
    return this.#kept ??= this.#message.slice();
  }
}
