/** All compared methods. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import * as raw from "../../sys/raw/mod.ts";
import { must } from "./calls.ts";
import { libraryMethods } from "./library.ts";
import { ringCopy } from "./ring.ts";
import type { TargetName } from "./types.ts";
import type { Io, Method } from "./method.ts";

const KB = 1024;
const MB = 1024 * KB;
/** Most bytes of one sendfile: 2 GiB minus a 4 KiB page. */
const MOST = 0x7fff_f000;
/** Wanted capacity of a pipe, if the limits allow it. */
const PIPE = MB;
/** Bytes to map at a time. */
const MAPPING = 64 * MB;
/** Alignment of direct reads: a multiple of what any disk needs. */
const ALIGNMENT = 4 * KB;

const READ = 1;
const SEQUENTIAL = 2;
const SHARED = platform.map.SHARED;
const ANONYMOUS = platform.map.PRIVATE | platform.map.ANONYMOUS;
const ALL: readonly TargetName[] = ["socket", "file", "pipe"];

function readWrite(size: number): Method["move"] {
  return ({ source, outs, calls }) => {
    const buffer = new Uint8Array(size);
    for (let count = 1; count > 0;) {
      count = calls.read(source, buffer);
      for (const out of outs) calls.writeAll(out, buffer.subarray(0, count));
    }
  };
}

function mmapWrite({ source, size, outs, calls }: Io): void {
  for (let offset = 0; offset < size; offset += MAPPING) {
    const length = Math.min(MAPPING, size - offset);
    const region = calls.other("mmap", () => raw.mmap(length, READ, SHARED, source, offset));
    calls.other("madvise", () => raw.madvise(region, 0, length, SEQUENTIAL));
    for (let at = 0; at < length; at += MB) {
      const bytes = region.bytes(at, Math.min(MB, length - at));
      for (const out of outs) calls.writeAll(out, bytes);
    }
    calls.other("munmap", () => raw.munmap(region));
  }
}

function sendfile({ source, size, outs, calls }: Io): void {
  // Two targets take turns, as in a server that feeds both at once.
  const step = outs.length > 1 ? MB : MOST;
  for (let offset = 0; offset < size; offset += step) {
    const end = Math.min(size, offset + step);
    for (const out of outs) {
      for (let at = offset; at < end;) {
        const count = calls.sendfile(out, source, at, end - at);
        if (count === 0) throw new Error("the file was truncated");
        at += count;
      }
    }
  }
}

function pipe(): [number, number] {
  const fds = new Int32Array(2);
  must(raw.pipe2(fds, platform.open.CLOEXEC), "pipe2");
  // If the limit is lower, the pipe keeps its capacity.
  raw.fcntl(fds[0]!, platform.fcntl.SETPIPE_SZ, PIPE);
  return [fds[0]!, fds[1]!];
}

function splice({ source, size, outs: [out = -1], target, calls }: Io): void {
  if (target === "pipe") {
    for (let at = 0; at < size;) at += calls.splice(source, at, out, MOST);
    return;
  }
  const [read, write] = pipe();
  for (let at = 0; at < size;) {
    const count = calls.splice(source, at, write, PIPE);
    for (let left = count; left > 0;) left -= calls.splice(read, null, out, left);
    if (count === 0) throw new Error("the file was truncated");
    at += count;
  }
}

function tee({ source, size, outs: [first = -1, second = -1], calls }: Io): void {
  const [read, write] = pipe();
  const [copy, twin] = pipe();
  for (let at = 0; at < size;) {
    const count = calls.splice(source, at, write, PIPE);
    if (count === 0) throw new Error("the file was truncated");
    for (let left = count; left > 0;) {
      // The twin is empty, so it takes everything, unless it has fewer slots.
      const shared = calls.tee(read, twin, left);
      for (let n = shared; n > 0;) n -= calls.splice(read, null, first, n);
      for (let n = shared; n > 0;) n -= calls.splice(copy, null, second, n);
      left -= shared;
    }
    at += count;
  }
}

function copyFileRange({ source, size, outs: [out = -1], calls }: Io): void {
  for (let at = 0; at < size;) {
    const count = calls.copyFileRange(source, out, at, Math.min(MOST, size - at));
    if (count === 0) throw new Error("the file was truncated");
    at += count;
  }
}

function reflink({ source, size, outs: [out = -1], calls }: Io): void {
  calls.other("ioctl", () => raw.ioctl(out, platform.ioctl.FICLONE, source));
  calls.movedInKernel(size);
}

function direct({ source, size, outs: [out = -1], target, calls }: Io): void {
  const region = calls.other("mmap", () => raw.mmap(MB, 3, ANONYMOUS, -1, 0));
  const memory = region.bytes();
  for (let at = 0; at < size;) {
    const count = calls.pread(source, memory, at);
    if (count === 0) throw new Error("the file was truncated");
    if (target === "file") {
      // Writes the end as a whole block, and truncates the file afterwards.
      const whole = Math.ceil(count / ALIGNMENT) * ALIGNMENT;
      calls.pwriteAll(out, memory.subarray(0, whole), at);
    } else calls.writeAll(out, memory.subarray(0, count));
    at += count;
  }
  if (target === "file") calls.other("ftruncate", () => raw.ftruncate(out, size));
}

/** All methods. The slowest ideas come first. */
export const METHODS: readonly Method[] = [
  { name: "rw4k", label: "read + write (4 KiB)", targets: ALL, move: readWrite(4 * KB)! },
  {
    name: "rw64k",
    label: "read + write (64 KiB)",
    targets: [...ALL, "two"],
    move: readWrite(64 * KB)!,
  },
  { name: "rw1m", label: "read + write (1 MiB)", targets: [...ALL, "two"], move: readWrite(MB)! },
  ...libraryMethods("stream"),
  { name: "mmap", label: "mmap + write", targets: ALL, move: mmapWrite },
  { name: "direct", label: "O_DIRECT + write", targets: ALL, direct: true, move: direct },
  { name: "ring", label: "io_uring (8 blocks)", targets: ALL, move: ringCopy },
  { name: "sendfile", label: "sendfile", targets: [...ALL, "two"], move: sendfile },
  { name: "splice", label: "splice", targets: ["socket", "pipe"], move: splice },
  { name: "tee", label: "splice + tee", targets: ["two"], move: tee },
  { name: "range", label: "copy_file_range", targets: ["file"], move: copyFileRange },
  { name: "reflink", label: "reflink (FICLONE)", targets: ["file"], move: reflink },
  ...libraryMethods("sluice"),
];

/** Returns the method of a name. */
export function methodNamed(name: string): Method {
  const method = METHODS.find((each) => each.name === name);
  if (method === undefined) throw new RangeError(`Cannot find the method "${name}"`);
  return method;
}
