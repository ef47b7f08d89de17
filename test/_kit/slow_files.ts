/**
 * A file system that answers late or never: a FUSE server in a separate process.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { commandLine } from "./child.ts";

const SERVER = new URL("./slow_files_server.ts", import.meta.url);

/** Reason why it is unavailable; `false` if it is available. */
export const NO_SLOW_FILES: string | false = !existsSync("/dev/fuse")
  ? "there is no /dev/fuse"
  : process.getuid?.() !== 0
  ? "only root may mount"
  : false;

/**
 * What is in it: `small` (1000 bytes), `large` (300 KiB), `sparse` (as `large`, with fewer blocks than
 * bytes). Of three more, stat says 0 bytes: `lengthless` (5000 bytes), `failing` (each read is `EINVAL`)
 * and `breaking` (4096 bytes, then `EINVAL`).
 */
export interface SlowFiles {
  readonly path: string;
  /** Ends the server, and so every unanswered call. */
  close(): void;
}

/**
 * Mounts a slow file system.
 *
 * @param delayMs Time that each operation takes; `Infinity` for operations that are never answered.
 * @param path Where: an empty folder, which goes with it.
 * @param only Name of the one operation that takes its time, such as `"READ"`; all by default.
 */
export async function slowFiles(
  delayMs: number,
  path: string = mkdtempSync(join(tmpdir(), "sluice-slow-")),
  only: string = "",
): Promise<SlowFiles> {
  const [program, ...args] = commandLine(SERVER, [path, String(delayMs), only]);
  const env = { ...process.env, SLUICE_FFI: "" };
  const server = spawn(program!, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const close = () => {
    server.kill("SIGKILL");
    spawnSync("umount", ["-l", path]);
    rmdirSync(path);
  };
  try {
    await mounted(server);
  } catch (error) {
    close();
    throw error;
  }
  return { path, close };
}

function mounted(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.stdout!.once("data", () => resolve());
    server.once("exit", (code) => reject(new Error(`The FUSE server ended with ${code}`)));
  });
}

/** Size of `large` in bytes. */
export const LARGE: number = 300 * 1024;

/** The byte at an offset of each of the files. */
export function byteAt(offset: number): number {
  return (offset * 31 + (offset >> 8)) & 0xff;
}

/** The bytes of a file. */
export function bytesOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, offset) => byteAt(offset));
}
