/** Waits until a followed file, its name or its target may have changed. @module */

import { builtin } from "../../builtins.ts";
import { available } from "../../sys/libc.ts";
import { InotifyEvent } from "../../sys/flags/event.ts";
import { watchChanges } from "../../threads/poll/file_changes.ts";
import type { FollowedFile } from "./followed_file.ts";

const { ATTRIB, CREATE, MODIFY, MOVED_TO, MOVE_SELF, Q_OVERFLOW } = InotifyEvent;
const OF_FILE = MODIFY | ATTRIB | MOVE_SELF;
const OF_FOLDER = CREATE | MOVED_TO;

/**
 * Milliseconds between two looks: at what inotify does not report (other machines, file systems without
 * it, a target that is gone), and at everything if there is no inotify.
 */
const WATCHED_MS = 1000;
const BLIND_MS = 200;

/** The watches of one followed file. */
export class Changes {
  readonly #file: FollowedFile;
  readonly #ends: { file: (() => void) | null; folder: (() => void) | null };
  #changed = true;
  #wake = () => {};

  constructor(file: FollowedFile, path: string | undefined) {
    this.#file = file;
    const folder = path === undefined ? null : this.#watchFolder(path);
    this.#ends = { file: null, folder };
    this.#watchFile(file.fd);
    file.onFile = (fd) => this.#watchFile(fd);
  }

  /** Settles once something may have changed since the last call. */
  async wait(): Promise<void> {
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(() => {
        this.#file.suspect = true;
        resolve();
      }, this.#ends.file === null ? BLIND_MS : WATCHED_MS);
      await promise;
      clearTimeout(timer);
    }
    this.#changed = false;
  }

  /** Something else has changed. */
  ring(): void {
    this.#changed = true;
    this.#wake();
  }

  close(): void {
    this.#ends.file?.();
    this.#ends.folder?.();
    this.ring();
  }

  #watchFile(fd: number): void {
    this.#ends.file?.();
    this.#ends.file = watch(`/proc/self/fd/${fd}`, OF_FILE, (mask) => {
      if ((mask & ~MODIFY) !== 0) this.#file.suspect = true;
      this.ring();
    });
    this.ring();
  }

  #watchFolder(path: string): (() => void) | null {
    const { basename, dirname } = builtin("path");
    const own = basename(path);
    return watch(dirname(path), OF_FOLDER, (mask, name) => {
      if (name !== own && (mask & Q_OVERFLOW) === 0) return;
      this.#file.suspect = true;
      this.ring();
    });
  }
}

function watch(...args: Parameters<typeof watchChanges>): (() => void) | null {
  return available() ? watchChanges(...args) : null;
}
