/** Tries what the file system of a folder supports. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { StatxFlag, StatxMask } from "../sys/file/stat.ts";
import * as raw from "../sys/raw/mod.ts";
import { attempt, type Mechanism, type Scope, unknown } from "./attempt.ts";

const { open: bits } = platform;
const READ_WRITE = 2;
const MODE = 0o600;
const BLOCK = 4096;
/** Largest disk block to try if the kernel does not report the size. */
const LARGEST_BLOCK = 65536;

type Name = "copyFileRange" | "reflink" | "directIo";

/** Tries the mechanisms for files in `folder`. */
export function probeFiles(folder: string): Record<Name, Mechanism> {
  const refusal = attempt((scope) => String(scratch(scope, folder)));
  if (refusal.state !== "works") {
    const detail = `no file can be made in ${folder} (${refusal.detail})`;
    const none = unknown(detail, "name a writable folder");
    return { copyFileRange: none, reflink: none, directIo: none };
  }
  return {
    copyFileRange: attempt((scope) => {
      const [from, to] = [filled(scope, folder), scratch(scope, folder)];
      scope.need(raw.copyFileRange(from, 0, to, 0, BLOCK), "copy_file_range");
      return "file to file";
    }, { otherwise: "sluice copies by sendfile, or by read and write" }),
    reflink: attempt((scope) => {
      const [from, to] = [filled(scope, folder), scratch(scope, folder)];
      scope.need(raw.ioctl(to, platform.ioctl.FICLONE, from), "ioctl FICLONE");
      return "copies share their blocks until one is written";
    }, { otherwise: "only Btrfs, XFS (made with reflink=1), bcachefs, OCFS2, overlays on those" }),
    directIo: attempt((scope) => {
      const fd = scratch(scope, folder, bits.DIRECT);
      const { memory, offset } = alignment(scope, fd);
      const size = Math.max(BLOCK, offset);
      const region = scope.region(
        raw.mmap(Math.max(size, memory), 3, platform.map.PRIVATE | platform.map.ANONYMOUS, -1, 0),
        "mmap",
      );
      scope.need(raw.pwrite(fd, region.bytes(0, size), 0), "pwrite");
      return `memory aligned to ${memory}, offset and length to ${offset} bytes`;
    }, {
      EINVAL: "this file system has no O_DIRECT (tmpfs before Linux 6.5, some overlays)",
      otherwise: "use a folder on a disk",
    }),
  };
}

/**
 * Alignment for direct I/O: from statx(2) since Linux 6.1, otherwise by trying larger and larger
 * blocks.
 */
function alignment(scope: Scope, fd: number): { memory: number; offset: number } {
  const stat = new Uint8Array(256);
  const view = new DataView(stat.buffer);
  const result = raw.statx(fd, "", StatxFlag.EMPTY_PATH, StatxMask.DIOALIGN, stat);
  if (result === 0 && view.getUint32(156, true) > 0) {
    return { memory: view.getUint32(152, true), offset: view.getUint32(156, true) };
  }
  const flags = platform.map.PRIVATE | platform.map.ANONYMOUS;
  const region = scope.region(raw.mmap(LARGEST_BLOCK, 3, flags, -1, 0), "mmap");
  let last = 0;
  for (let size = 512; size <= LARGEST_BLOCK; size *= 2) {
    last = raw.pwrite(fd, region.bytes(0, size), 0);
    if (last === size) return { memory: size, offset: size };
  }
  throw scope.need(last, "pwrite");
}

function filled(scope: Scope, folder: string): number {
  const fd = scratch(scope, folder);
  scope.need(raw.pwrite(fd, new Uint8Array(BLOCK), 0), "pwrite");
  return fd;
}

/** Opens an unnamed file in the folder, which vanishes however the process ends. */
function scratch(scope: Scope, folder: string, flags = 0): number {
  const open = bits.CLOEXEC | READ_WRITE | flags;
  if (bits.TMPFILE !== 0) {
    const unnamed = raw.open(folder, open | bits.TMPFILE, MODE);
    if (unnamed >= 0) return scope.fd(unnamed, "open O_TMPFILE");
    const named = raw.open(folder, bits.CLOEXEC | READ_WRITE | bits.TMPFILE, MODE);
    if (named >= 0) {
      // The file system refuses the flag, not the unnamed file.
      scope.fd(named, "open O_TMPFILE");
      return scope.fd(unnamed, "open O_DIRECT");
    }
  }
  // NFS, some overlays and macOS have no unnamed files.
  const { mkdtempSync, rmSync } = builtin("fs");
  const own = mkdtempSync(`${folder}/.sluice-probe-`);
  try {
    return scope.fd(raw.open(`${own}/file`, open | bits.CREAT | bits.EXCL, MODE), "open");
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
