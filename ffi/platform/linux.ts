/**
 * Linux on x64 and arm64.
 *
 * Sources: `include/uapi/asm-generic/*.h`, `arch/arm64/include/uapi/asm/fcntl.h` and
 * `include/uapi/linux/eventpoll.h` of the kernel.
 *
 * @module
 */

import type { LibraryName, Platform } from "./types.ts";

// Errno 1 to 133 of asm-generic/errno-base.h and errno.h, the same on both processors. EWOULDBLOCK
// (11) and EDEADLOCK (35) are aliases; 41 and 58 are unused.
const ERRNO_NAMES = (
  "- EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT " +
  "ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG " +
  "ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY " +
  "ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR " +
  "EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE " +
  "ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG " +
  "ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK " +
  "EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP " +
  "EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET " +
  "ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT " +
  "ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL " +
  "EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED " +
  "EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON"
).split(" ").map((name) => name === "-" ? undefined : name);

const COMMON = {
  os: "linux",
  errnoSymbol: "__errno_location",
  errnoNames: ERRNO_NAMES,
  map: {
    SHARED: 1,
    PRIVATE: 2,
    SHARED_VALIDATE: 3,
    FIXED: 0x10,
    ANONYMOUS: 0x20,
    LOCKED: 0x2000,
    NORESERVE: 0x4000,
    POPULATE: 0x8000,
    HUGETLB: 0x40000,
    SYNC: 0x80000,
    FIXED_NOREPLACE: 0x100000,
  },
  memoryAdvice: {
    NORMAL: 0,
    RANDOM: 1,
    SEQUENTIAL: 2,
    WILLNEED: 3,
    DONTNEED: 4,
    FREE: 8,
    REMOVE: 9,
    DONTFORK: 10,
    DOFORK: 11,
    HUGEPAGE: 14,
    NOHUGEPAGE: 15,
    DONTDUMP: 16,
    COLD: 20,
    PAGEOUT: 21,
    POPULATE_READ: 22,
    POPULATE_WRITE: 23,
  },
  msync: { ASYNC: 1, INVALIDATE: 2, SYNC: 4 },
  seek: { DATA: 3, HOLE: 4 },
  ioctl: { FIONREAD: 0x541b, SIOCOUTQ: 0x5411, FICLONE: 0x40049409, SIOCETHTOOL: 0x8946 },
  resource: { FSIZE: 1, NOFILE: 7, MEMLOCK: 8 },
  // System calls added after 2019 have the same number on all processors.
  syscalls: {
    io_uring_setup: 425,
    io_uring_enter: 426,
    io_uring_register: 427,
    openat2: 437,
    cachestat: 451,
    landlock_create_ruleset: 444,
    landlock_add_rule: 445,
    landlock_restrict_self: 446,
  },
  atFdcwd: -100,
  socket: {
    AF_UNIX: 1,
    AF_INET: 2,
    AF_INET6: 10,
    SOL_SOCKET: 1,
    SO_REUSEADDR: 2,
    SO_TYPE: 3,
    SO_ERROR: 4,
    SO_SNDBUF: 7,
    SO_RCVBUF: 8,
    SO_KEEPALIVE: 9,
    SO_REUSEPORT: 15,
    SO_LINGER: 13,
    SO_ACCEPTCONN: 30,
    SO_ZEROCOPY: 60,
    SO_MAX_PACING_RATE: 47,
    SOCK_NONBLOCK: 0o4000,
    SOCK_CLOEXEC: 0o2000000,
    TCP_CORK: 3,
    TCP_CONGESTION: 13,
    TCP_NOTSENT_LOWAT: 25,
    TCP_ULP: 31,
  },
  message: {
    PEEK: 2,
    TRUNC: 0x20,
    DONTWAIT: 0x40,
    WAITALL: 0x100,
    NOSIGNAL: 0x4000,
    MORE: 0x8000,
    ZEROCOPY: 0x4000000,
  },
  fcntl: {
    GETFD: 1,
    SETFD: 2,
    GETFL: 3,
    SETFL: 4,
    DUPFD_CLOEXEC: 1030,
    SETPIPE_SZ: 1031,
    GETPIPE_SZ: 1032,
    ADD_SEALS: 1033,
    GET_SEALS: 1034,
    NOCACHE: -1,
  },
  variadicPadding: 0,
} as const;

const OPEN = {
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DSYNC: 0o10000,
  SYNC: 0o4010000,
  NOATIME: 0o1000000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;

// glibc first, then musl by its versioned name, as on Alpine, and by its linker's alias. The symbol
// tells glibc: the linker of musl takes every name that starts with "libc." for musl itself.
const libraries = (muslArch: string): LibraryName[] => [
  { name: "libc.so.6", symbol: "gnu_get_libc_version" },
  { name: `libc.musl-${muslArch}.so.1`, symbol: "close" },
  { name: `ld-musl-${muslArch}.so.1`, symbol: "close" },
];

export const LINUX_X64: Platform = {
  ...COMMON,
  arch: "x64",
  unwrapped: { preadv2: 327, pwritev2: 328, renameat2: 316, statx: 332, getdents64: 217 },
  libraries: libraries("x86_64"),
  open: {
    ...OPEN,
    DIRECT: 0o40000,
    DIRECTORY: 0o200000,
    NOFOLLOW: 0o400000,
    TMPFILE: 0o20200000,
  },
  // Packed on x64, to match the layout of 32-bit processes.
  epollEvent: { size: 12, data: 4 },
};

export const LINUX_ARM64: Platform = {
  ...COMMON,
  arch: "arm64",
  unwrapped: { preadv2: 286, pwritev2: 287, renameat2: 276, statx: 291, getdents64: 61 },
  libraries: libraries("aarch64"),
  open: {
    ...OPEN,
    DIRECT: 0o200000,
    DIRECTORY: 0o40000,
    NOFOLLOW: 0o100000,
    TMPFILE: 0o20040000,
  },
  epollEvent: { size: 16, data: 8 },
};
