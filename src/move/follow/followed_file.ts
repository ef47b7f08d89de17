/** A file that grows, is truncated, and is replaced by another one of its name. @module */

import { builtin } from "../../builtins.ts";
import { asSyscallError, errnoNumber, SyscallError } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import { FileType } from "../../sys/file/statx.ts";
import { statusOf } from "../../threads/blocking/files.ts";
import { isRemote, verify } from "../engine/endpoint.ts";
import { type Input, openInput, type TransferSource } from "../engine/input.ts";

type FileInput = Extract<Input, { kind: "file" | "portable" }>;

/** Bytes that have not been sent. */
export interface Stretch {
  readonly fd: number;
  readonly start: number;
  readonly length: number;
  /** Whether another machine or process holds the file. */
  readonly remote: boolean;
}

/** What identifies a file, and how long it is. */
interface Facts {
  readonly size: number;
  /** Number of names. */
  readonly links: number;
  readonly id: string;
}

/** The file that is followed, and the position in it. */
export class FollowedFile {
  /** Whether something may have happened to its name. */
  suspect = true;
  /** Called with each file that takes part, from the first one on. */
  onFile: (fd: number) => void = () => {};
  readonly #path: string | URL | undefined;
  #input: FileInput;
  /** The file that now has the name; it is sent once the current one has been. */
  #successor: FileInput | undefined;
  #position: number;
  #closed = false;

  constructor(source: TransferSource, input: FileInput, start: number) {
    this.#path = typeof source === "string" || source instanceof URL ? source : undefined;
    this.#input = input;
    this.#position = start;
  }

  /** Descriptor of the current file. */
  get fd(): number {
    return this.#input.kind === "file" ? this.#input.end.fd : this.#input.fd;
  }

  /** The next bytes; `null` if there are none now, `"end"` if no more can come. */
  async next(bytesMoved: number): Promise<Stretch | "end" | null> {
    for (;;) {
      const { size, links, id } = await this.#facts(this.#input, bytesMoved);
      // Truncated: what it has now is new.
      if (size < this.#position) this.#position = 0;
      if (size > this.#position) return this.#stretch(size);
      if (this.#successor !== undefined) {
        this.#switch(this.#successor);
        continue;
      }
      if (!this.suspect) return null;
      this.suspect = false;
      if (this.#path === undefined) {
        if (links === 0) return "end";
        return null;
      }
      const found = await this.#named();
      if (found === null) return links === 0 ? "end" : null;
      if ((await this.#facts(found, bytesMoved)).id === id) {
        found.close();
        return null;
      }
      // The old file may have grown since, so look once more.
      this.#successor = found;
    }
  }

  /** Bytes have been sent. */
  advance(count: number): void {
    this.#position += count;
  }

  close(): void {
    this.#closed = true;
    this.#input.close();
    this.#successor?.close();
  }

  #stretch(size: number): Stretch {
    const input = this.#input;
    const remote = input.kind === "file" && isRemote(input.end);
    return { fd: this.fd, start: this.#position, length: size - this.#position, remote };
  }

  #switch(input: FileInput): void {
    this.#input.close();
    this.#input = input;
    this.#successor = undefined;
    this.#position = 0;
    this.suspect = true;
    this.onFile(this.fd);
  }

  /** The file that has the name now; `null` if there is none, or it cannot be followed. */
  async #named(): Promise<FileInput | null> {
    try {
      const found = await openFollowable(this.#path!);
      if (!this.#closed) return found;
      found.close();
      return null;
    } catch (error) {
      // For example while a rotation makes the new one; the old one goes on.
      if (error instanceof SyscallError) return null;
      throw error;
    }
  }

  async #facts(input: FileInput, bytesMoved: number): Promise<Facts> {
    if (input.kind === "portable") return await factsByRuntime(input.fd, bytesMoved);
    verify(input.end, bytesMoved);
    const status = await statusOf(input.end.fd);
    const { size, links, device, inode } = check(status, "statx", () => "follow a file");
    return { size, links, id: `${device}:${inode}` };
  }
}

/**
 * Opens a regular file whose content the kernel does not generate.
 *
 * @throws {SyscallError} `EINVAL` for everything else.
 */
export async function openFollowable(
  source: TransferSource,
  signal?: AbortSignal,
): Promise<FileInput> {
  const input = await openInput(source, {
    action: "follow",
    borrows: false,
    buffered: true,
    signal,
  });
  if (input.kind === "portable") return input;
  if (input.kind === "file" && input.end.status?.type === FileType.REGULAR) return input;
  input.close();
  const name = typeof source === "string" ? JSON.stringify(source) : "the source";
  const action = `follow ${name}, which is not a regular file`;
  throw new SyscallError({ syscall: "inotify_add_watch", errno: errnoNumber("EINVAL"), action });
}

function factsByRuntime(fd: number, bytesMoved: number): Promise<Facts> {
  return new Promise((resolve, reject) => {
    builtin("fs").fstat(fd, (error, { size, nlink, dev, ino } = {} as never) => {
      if (error) reject(asSyscallError(error, "fstat", `follow fd ${fd}`, bytesMoved));
      else resolve({ size, links: nlink, id: `${dev}:${ino}` });
    });
  });
}
