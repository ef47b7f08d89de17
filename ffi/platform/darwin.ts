/**
 * macOS on arm64 and x64. Written from the headers and manual pages of XNU; never run.
 *
 * macOS lacks splice, tee, epoll, memfd and O_DIRECT. It has a different sendfile(2), and mmap,
 * posix_memalign, and `fcntl(F_NOCACHE)` instead of O_DIRECT.
 *
 * @module
 */

import type { Platform } from "./types.ts";

// sys/errno.h, 1 to 106; 11 is EDEADLK and 35 is EAGAIN, unlike on Linux.
const ERRNO_NAMES = (
  "- EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EDEADLK ENOMEM EACCES EFAULT " +
  "ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG " +
  "ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EAGAIN EINPROGRESS EALREADY ENOTSOCK " +
  "EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT ENOTSUP " +
  "EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET " +
  "ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT " +
  "ECONNREFUSED ELOOP ENAMETOOLONG EHOSTDOWN EHOSTUNREACH ENOTEMPTY EPROCLIM EUSERS EDQUOT " +
  "ESTALE EREMOTE EBADRPC ERPCMISMATCH EPROGUNAVAIL EPROGMISMATCH EPROCUNAVAIL ENOLCK ENOSYS " +
  "EFTYPE EAUTH ENEEDAUTH EPWROFF EDEVERR EOVERFLOW EBADEXEC EBADARCH ESHLIBVERS EBADMACHO " +
  "ECANCELED EIDRM ENOMSG EILSEQ ENOATTR EBADMSG EMULTIHOP ENODATA ENOLINK ENOSR ENOSTR EPROTO " +
  "ETIME EOPNOTSUPP ENOPOLICY ENOTRECOVERABLE EOWNERDEAD EQFULL"
).split(" ").map((name) => name === "-" ? undefined : name);

const COMMON = {
  os: "darwin",
  libraries: [{ name: "/usr/lib/libSystem.B.dylib", symbol: "close" }],
  errnoSymbol: "__error",
  errnoNames: ERRNO_NAMES,
  open: {
    CREAT: 0x200,
    EXCL: 0x800,
    NOCTTY: 0x20000,
    TRUNC: 0x400,
    APPEND: 0x8,
    NONBLOCK: 0x4,
    DSYNC: 0x400000,
    SYNC: 0x80,
    DIRECT: 0,
    DIRECTORY: 0x100000,
    NOFOLLOW: 0x100,
    NOATIME: 0,
    CLOEXEC: 0x1000000,
    PATH: 0,
    TMPFILE: 0,
  },
  map: {
    SHARED: 1,
    PRIVATE: 2,
    SHARED_VALIDATE: 1,
    FIXED: 0x10,
    ANONYMOUS: 0x1000,
    LOCKED: 0,
    NORESERVE: 0x40,
    POPULATE: 0,
    HUGETLB: 0,
    SYNC: 0,
    FIXED_NOREPLACE: 0,
  },
  memoryAdvice: {
    NORMAL: 0,
    RANDOM: 1,
    SEQUENTIAL: 2,
    WILLNEED: 3,
    DONTNEED: 4,
    FREE: 5,
    REMOVE: -1,
    DONTFORK: -1,
    DOFORK: -1,
    HUGEPAGE: -1,
    NOHUGEPAGE: -1,
    DONTDUMP: -1,
    COLD: -1,
    PAGEOUT: -1,
    POPULATE_READ: -1,
    POPULATE_WRITE: -1,
  },
  msync: { ASYNC: 1, INVALIDATE: 2, SYNC: 0x10 },
  seek: { DATA: 4, HOLE: 3 },
  ioctl: { FIONREAD: 0x4004667f, SIOCOUTQ: 0, FICLONE: 0, SIOCETHTOOL: 0 },
  resource: { FSIZE: 1, NOFILE: 8, MEMLOCK: 6 },
  syscalls: {
    io_uring_setup: -1,
    io_uring_enter: -1,
    io_uring_register: -1,
    openat2: -1,
    cachestat: -1,
    landlock_create_ruleset: -1,
    landlock_add_rule: -1,
    landlock_restrict_self: -1,
  },
  unwrapped: { preadv2: -1, pwritev2: -1, renameat2: -1, statx: -1, getdents64: -1 },
  atFdcwd: -2,
  socket: {
    AF_UNIX: 1,
    AF_INET: 2,
    AF_INET6: 30,
    SOL_SOCKET: 0xffff,
    SO_REUSEADDR: 0x4,
    SO_TYPE: 0x1008,
    SO_ERROR: 0x1007,
    SO_SNDBUF: 0x1001,
    SO_RCVBUF: 0x1002,
    SO_KEEPALIVE: 0x8,
    SO_REUSEPORT: 0x200,
    SO_ACCEPTCONN: 0x2,
    SO_LINGER: 0x80,
    SO_ZEROCOPY: -1,
    SO_MAX_PACING_RATE: -1,
    SOCK_NONBLOCK: 0,
    SOCK_CLOEXEC: 0,
    TCP_CORK: 4, // TCP_NOPUSH
    TCP_CONGESTION: -1,
    TCP_NOTSENT_LOWAT: 0x201,
    TCP_ULP: -1,
  },
  message: {
    PEEK: 2,
    TRUNC: 0x10,
    DONTWAIT: 0x80,
    WAITALL: 0x40,
    NOSIGNAL: 0x80000,
    MORE: 0,
    ZEROCOPY: 0,
  },
  fcntl: {
    GETFD: 1,
    SETFD: 2,
    GETFL: 3,
    SETFL: 4,
    DUPFD_CLOEXEC: 67,
    SETPIPE_SZ: -1,
    GETPIPE_SZ: -1,
    ADD_SEALS: -1,
    GET_SEALS: -1,
    NOCACHE: 48,
  },
  epollEvent: { size: 0, data: 0 },
} as const;

export const DARWIN_ARM64: Platform = { ...COMMON, arch: "arm64", variadicPadding: 6 };

export const DARWIN_X64: Platform = { ...COMMON, arch: "x64", variadicPadding: 0 };
