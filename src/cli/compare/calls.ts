/** System calls that count themselves and the bytes they move. @module */

import { errnoNumber, SyscallError } from "../../errors.ts";
import * as raw from "../../sys/raw/mod.ts";
import type { Traffic } from "./types.ts";

const EINTR = -errnoNumber("EINTR");

/** The calls of one run. Each call moves bytes or throws. */
export class Calls {
  readonly #counts: Record<string, number> = {};
  #intoUser = 0;
  #outOfUser = 0;
  #inKernel = 0;

  /** Bytes moved so far, and the number of calls. */
  get traffic(): Traffic {
    return {
      calls: { ...this.#counts },
      intoUser: this.#intoUser,
      outOfUser: this.#outOfUser,
      inKernel: this.#inKernel,
    };
  }

  /** `read(2)` into memory. */
  read(fd: number, target: Uint8Array): number {
    const count = this.#run("read", () => raw.read(fd, target));
    this.#intoUser += count;
    return count;
  }

  /** `pread(2)` into memory. */
  pread(fd: number, target: Uint8Array, offset: number): number {
    const count = this.#run("pread64", () => raw.pread(fd, target, offset));
    this.#intoUser += count;
    return count;
  }

  /** `write(2)` until all bytes are written. */
  writeAll(fd: number, source: Uint8Array): void {
    for (let done = 0; done < source.length;) {
      done += this.#run("write", () => raw.write(fd, source.subarray(done)));
    }
    this.#outOfUser += source.length;
  }

  /** `pwrite(2)` until all bytes are written. */
  pwriteAll(fd: number, source: Uint8Array, offset: number): void {
    for (let done = 0; done < source.length;) {
      done += this.#run("pwrite64", () => raw.pwrite(fd, source.subarray(done), offset + done));
    }
    this.#outOfUser += source.length;
  }

  /** `sendfile(2)`; 0 at the end of the file. */
  sendfile(out: number, from: number, offset: number, count: number): number {
    return this.#kernel("sendfile", () => raw.sendfile(out, from, offset, count));
  }

  /** `copy_file_range(2)`; 0 at the end of the file. */
  copyFileRange(from: number, to: number, offset: number, count: number): number {
    return this.#kernel(
      "copy_file_range",
      () => raw.copyFileRange(from, offset, to, offset, count),
    );
  }

  /** `splice(2)`; one end must be a pipe. */
  splice(from: number, at: number | null, out: number, count: number): number {
    return this.#kernel("splice", () => raw.splice(from, at, out, null, count, 0));
  }

  /** `tee(2)`; it moves references only. */
  tee(from: number, out: number, count: number): number {
    return this.#run("tee", () => raw.tee(from, out, count, 0));
  }

  /** Any other call. */
  other<T>(name: string, call: () => T | number): T {
    const result = call();
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
    if (typeof result === "number" && result < 0) throw failure(name, -result);
    return result as T;
  }

  /** Counts calls made outside of this class. */
  made(name: string, times: number): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + times;
  }

  /** Counts bytes that io_uring moved into and out of memory of the process. */
  crossed(intoUser: number, outOfUser: number): void {
    this.#intoUser += intoUser;
    this.#outOfUser += outOfUser;
  }

  /** Counts bytes that a call outside of this class moved inside the kernel. */
  movedInKernel(bytes: number): void {
    this.#inKernel += bytes;
  }

  #kernel(name: string, call: () => number): number {
    const count = this.#run(name, call);
    this.#inKernel += count;
    return count;
  }

  #run(name: string, call: () => number): number {
    for (;;) {
      const result = call();
      this.#counts[name] = (this.#counts[name] ?? 0) + 1;
      if (result >= 0) return result;
      if (result !== EINTR) throw failure(name, -result);
    }
  }
}

/** Returns `result`, or throws the error that a negative one means. */
export function must(result: number, name: string): number {
  if (result < 0) throw failure(name, -result);
  return result;
}

/** Builds the error of a failed call. */
export function failure(syscall: string, errno: number): SyscallError {
  return new SyscallError({ syscall, errno, action: "move the bytes" });
}
