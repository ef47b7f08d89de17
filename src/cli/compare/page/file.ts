/** Writes the page completely, or not at all. @module */

import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";

/** A checked path for the page. The check runs before anything is measured. */
export class Page {
  readonly #path: string;
  /** Devices and pipes are written directly: a rename would replace them. */
  readonly #special: boolean;

  /** @throws {Error} When the path is not writable. */
  constructor(path: string) {
    const refuse = (why: string) => new Error(`Cannot write "${path}": ${why}`);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw refuse("it is a folder; name a file");
    const folder = statSync(dirname(path), { throwIfNoEntry: false });
    if (!folder?.isDirectory()) throw refuse("there is no such folder");
    try {
      accessSync(stats === undefined ? dirname(path) : path, constants.W_OK);
    } catch {
      throw refuse("it is not writable");
    }
    this.#path = path;
    this.#special = stats !== undefined && !stats.isFile();
  }

  /** Writes the page. If that fails, an older page stays. */
  write(text: string): void {
    const unfinished = join(dirname(this.#path), `.sluice-compare-${process.pid}.html`);
    const target = this.#special ? this.#path : unfinished;
    try {
      writeFileSync(target, text);
      if (!this.#special) renameSync(unfinished, this.#path);
    } catch (cause) {
      if (!this.#special) rmSync(unfinished, { force: true });
      const { code, message } = cause as Error & { code?: string };
      const why = code === "ENOSPC" ? "there is no space left" : message;
      throw new Error(`Cannot write "${this.#path}": ${why}`);
    }
  }
}
