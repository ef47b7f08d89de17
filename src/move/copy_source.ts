/** What a copy needs to know of the file that it reads. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { available } from "../sys/libc.ts";
import { statx, StatxFlag } from "../sys/stat.ts";
import { FileType } from "../sys/statx.ts";

/** A file, as it was when it was opened. */
export interface SourceFacts {
  /** See `FileType`. */
  readonly type: number;
  /** Type and permissions. */
  readonly mode: number;
  /** Bytes, and blocks of 512 bytes that hold them. */
  readonly size: number;
  readonly blocks: number;
  /** Number of the device, as in `fs.Stats`. */
  readonly dev: bigint;
  readonly ino: bigint;
  readonly accessedMs: number;
  readonly modifiedMs: number;
}

/** Describes an open file: by a call of our own where there is one, for Deno knows only its own files. */
export function factsOf(fd: number): SourceFacts {
  if (platform.os === "linux" && available()) {
    const { inode, dev, ...facts } = statx(fd, "", StatxFlag.EMPTY_PATH);
    return { ...facts, type: facts.mode & TYPE, dev: deviceNumber(...dev), ino: inode };
  }
  const stats = builtin("fs").fstatSync(fd, { bigint: true });
  const mode = Number(stats.mode);
  return {
    type: mode & TYPE,
    mode,
    size: Number(stats.size),
    blocks: Number(stats.blocks),
    dev: stats.dev,
    ino: stats.ino,
    accessedMs: Number(stats.atimeNs) / 1e6,
    modifiedMs: Number(stats.mtimeNs) / 1e6,
  };
}

/** `S_IFMT` */
export const TYPE = 0o170000;

/** `makedev(3)` of the GNU C library. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) |
    (low & 0xffn);
}

/** Whether a file is one that can be copied. */
export function isRegular({ type }: SourceFacts): boolean {
  return type === FileType.REGULAR;
}
