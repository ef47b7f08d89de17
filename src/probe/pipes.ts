/** Tries the calls that move bytes between descriptors inside the kernel. @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../sys/raw/mod.ts";
import { attempt, type Mechanism, type Scope } from "./attempt.ts";
import { sendingSocket } from "./sockets.ts";

const { map, fcntl } = platform;
const READ_WRITE = 3;
const BYTES = new TextEncoder().encode("sluice");
const NEW_KERNEL = "needs Linux; other systems copy";
const SANDBOX = "a sandbox (seccomp) refuses it: allow the call in its profile";

/** Tries the calls. */
export function probePipes(): Record<"sendfile" | "splice" | "tee" | "vmsplice", Mechanism> {
  const remedies = { EPERM: SANDBOX, EACCES: SANDBOX, otherwise: NEW_KERNEL };
  return {
    sendfile: attempt((scope) => {
      const file = fileOf(scope);
      const { fd, kind } = sendingSocket(scope);
      whole(scope, raw.sendfile(fd, file, 0, BYTES.length), "sendfile");
      return `file to ${kind}`;
    }, remedies),
    splice: attempt((scope) => {
      const file = fileOf(scope);
      const [read, write] = pipe(scope);
      const { fd, kind } = sendingSocket(scope);
      whole(scope, raw.splice(file, 0, write, null, BYTES.length, 0), "splice from file to pipe");
      whole(
        scope,
        raw.splice(read, null, fd, null, BYTES.length, 0),
        `splice from pipe to ${kind}`,
      );
      return `file to pipe, pipe to ${kind}`;
    }, remedies),
    tee: attempt((scope) => {
      const [read, write] = pipe(scope);
      const [, copy] = pipe(scope);
      whole(scope, raw.write(write, BYTES), "write");
      whole(scope, raw.tee(read, copy, BYTES.length, 0), "tee");
      return "pipe to pipe, without taking the bytes";
    }, remedies),
    vmsplice: attempt((scope) => {
      const flags = map.PRIVATE | map.ANONYMOUS;
      const region = scope.region(raw.mmap(raw.pageSize(), READ_WRITE, flags, -1, 0), "mmap");
      const [read, write] = pipe(scope);
      whole(scope, raw.vmsplice(write, [{ region, length: BYTES.length }], 0), "vmsplice");
      whole(scope, raw.read(read, new Uint8Array(BYTES.length)), "read");
      return "memory to pipe";
    }, remedies),
  };
}

/** Returns pipe capacities in bytes; 0 if the system does not report them. */
export function pipeLimits(): { capacity: number; largest: number } {
  const limits = { capacity: 0, largest: 0 };
  attempt((scope) => {
    const [read] = pipe(scope);
    limits.capacity = scope.need(raw.fcntl(read, fcntl.GETPIPE_SZ, 0), "fcntl");
    limits.largest = limits.capacity;
    // Without CAP_SYS_RESOURCE, fs.pipe-max-size is the limit. What the kernel grants counts.
    for (let size = limits.capacity * 2; size <= 2 ** 24; size *= 2) {
      const granted = scope.need(raw.fcntl(read, fcntl.SETPIPE_SZ, size), "fcntl");
      limits.largest = Math.max(limits.largest, granted);
    }
    return "";
  });
  return limits;
}

function pipe(scope: Scope): [number, number] {
  return scope.pair(
    (fds) => raw.pipe2(fds, platform.open.NONBLOCK | platform.open.CLOEXEC),
    "pipe2",
  );
}

/** Creates a file in memory, so that no folder needs to be writable. */
function fileOf(scope: Scope): number {
  const MFD_CLOEXEC = 1;
  const fd = scope.fd(raw.memfdCreate("sluice-probe", MFD_CLOEXEC), "memfd_create");
  whole(scope, raw.pwrite(fd, BYTES, 0), "pwrite");
  return fd;
}

function whole(scope: Scope, result: number, call: string): void {
  if (scope.need(result, call) !== BYTES.length) {
    throw new Error(`${call} moved ${result} of ${BYTES.length} bytes`);
  }
}
