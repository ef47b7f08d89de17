/** Tries the mechanisms of the kernel that do not move bytes. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import * as raw from "../sys/raw/mod.ts";
import { attempt, type Mechanism, type Scope } from "./attempt.ts";

const { map, memoryAdvice, fcntl, open: bits } = platform;
const READ_WRITE = 3;
const HUGE = 2 * 1024 * 1024;
const RESOLVE_BENEATH = 0x08;
const RWF_NOWAIT = 0x08;
/** `MFD_CLOEXEC | MFD_ALLOW_SEALING` */
const SEALABLE = 3;
const F_SEAL_SHRINK = 2;
/** Bytes of `struct io_uring_params`, and the offset of its features. */
const URING_PARAMS = 120;
const URING_FEATURES = 20;

type Name =
  | "ioUring"
  | "openat2"
  | "landlock"
  | "hugePages"
  | "transparentHugePages"
  | "lockedMemory"
  | "memfd"
  | "populate"
  | "processVmReadv"
  | "cachestat"
  | "readNowait";

/** Tries the mechanisms. */
export function probeKernel(): Record<Name, Mechanism> {
  return {
    ioUring: attempt((scope) => {
      const params = new Uint8Array(URING_PARAMS);
      scope.fd(raw.ioUringSetup(4, params), "io_uring_setup");
      const features = new DataView(params.buffer).getUint32(URING_FEATURES, true);
      return `features 0x${features.toString(16)}`;
    }, {
      EPERM: "`sysctl kernel.io_uring_disabled=0`; in a container, allow io_uring_setup, " +
        "io_uring_enter and io_uring_register in its seccomp profile",
      EACCES: "SELinux or another security module refuses it",
      ENOMEM: "raise `ulimit -l` (locked memory)",
      otherwise: "needs Linux 5.1 or later, built with CONFIG_IO_URING",
    }),
    openat2: attempt((scope) => {
      const flags = bits.PATH | bits.CLOEXEC;
      scope.fd(raw.openat2(platform.atFdcwd, ".", flags, 0, RESOLVE_BENEATH), "openat2");
      return "paths cannot leave their folder";
    }, {
      EPERM: "a sandbox refuses it: update Docker (20.10.0) or libseccomp (2.5)",
      otherwise: "needs Linux 5.6 or later",
    }),
    landlock: attempt((scope) => {
      return `version ${scope.need(raw.landlockVersion(), "landlock_create_ruleset")}`;
    }, {
      EOPNOTSUPP: "boot with landlock in the list `lsm=`",
      otherwise: "needs Linux 5.13 or later, built with CONFIG_SECURITY_LANDLOCK",
    }),
    hugePages: attempt((scope) => {
      const flags = map.PRIVATE | map.ANONYMOUS | map.HUGETLB;
      scope.region(raw.mmap(HUGE, READ_WRITE, flags, -1, 0), "mmap MAP_HUGETLB");
      return "reserved huge pages of 2 MiB";
    }, {
      ENOMEM: "reserve some: `sysctl vm.nr_hugepages=64`",
      otherwise: "needs a kernel with CONFIG_HUGETLBFS",
    }),
    transparentHugePages: attempt((scope) => {
      const memory = anonymous(scope, 2 * HUGE);
      scope.need(raw.madvise(memory, 0, 2 * HUGE, memoryAdvice.HUGEPAGE), "madvise MADV_HUGEPAGE");
      return "huge pages on demand";
    }, { otherwise: "needs a kernel with CONFIG_TRANSPARENT_HUGEPAGE" }),
    lockedMemory: attempt((scope) => {
      const memory = anonymous(scope, raw.pageSize());
      scope.need(raw.mlock(memory, 0, memory.length), "mlock");
      return "memory is never swapped out";
    }, { otherwise: "raise `ulimit -l`, or LimitMEMLOCK= of the unit" }),
    memfd: attempt((scope) => {
      const fd = scope.fd(raw.memfdCreate("sluice-probe", SEALABLE), "memfd_create");
      scope.need(raw.fcntl(fd, fcntl.ADD_SEALS, F_SEAL_SHRINK), "fcntl F_ADD_SEALS");
      return "sealable files in memory";
    }, { otherwise: "needs Linux 3.17 or later" }),
    populate: attempt((scope) => {
      const memory = anonymous(scope, raw.pageSize());
      const advice = memoryAdvice.POPULATE_READ;
      scope.need(raw.madvise(memory, 0, memory.length, advice), "madvise MADV_POPULATE_READ");
      return "pages mapped before their use";
    }, { otherwise: "needs Linux 5.14 or later" }),
    processVmReadv: attempt((scope) => {
      scope.need(raw.processVmReadSelf(builtin("process").pid), "process_vm_readv");
      return "reads memory of another process of this user";
    }, {
      EPERM: "a sandbox refuses it: allow process_vm_readv in its seccomp profile, or run with " +
        "CAP_SYS_PTRACE",
      otherwise: "needs a kernel with CONFIG_CROSS_MEMORY_ATTACH",
    }),
    cachestat: attempt((scope) => {
      const fd = memoryFile(scope);
      scope.need(raw.cachestat(fd, 0, 0, new BigUint64Array(5)), "cachestat");
      return "counts the cached pages of a file";
    }, {
      EPERM: "a sandbox refuses it: update its seccomp profile",
      otherwise: "needs Linux 6.5 or later; sluice asks mincore(2) instead",
    }),
    readNowait: attempt((scope) => {
      const fd = scope.fd(raw.open("/proc/self/exe", bits.CLOEXEC, 0), "open");
      const result = raw.preadv2(fd, new Uint8Array(1), 0, RWF_NOWAIT);
      // EAGAIN means that the page is not cached, which is an answer, too.
      if (result !== -11) scope.need(result, "preadv2 RWF_NOWAIT");
      return "asks whether a page is cached, without waiting for the disk";
    }, {
      otherwise: "needs Linux 4.14 or later; without it, a thread reads whatever may be cold",
    }),
  };
}

function anonymous(scope: Scope, length: number): ReturnType<Scope["region"]> {
  return scope.region(raw.mmap(length, READ_WRITE, map.PRIVATE | map.ANONYMOUS, -1, 0), "mmap");
}

function memoryFile(scope: Scope): number {
  return scope.fd(raw.memfdCreate("sluice-probe", SEALABLE), "memfd_create");
}
