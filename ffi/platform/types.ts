/** Differences between operating systems and processors, as data. @module */

/** A name that the C library may have. */
export interface LibraryName {
  readonly name: string;
  /** Function that only the right library exports under this name. */
  readonly symbol: string;
}

/** Constants and layouts of one operating system on one processor. */
export interface Platform {
  readonly os: "linux" | "darwin";
  readonly arch: "x64" | "arm64";
  /** Names of the C library to try, in order. */
  readonly libraries: readonly LibraryName[];
  /** Function that returns the address of this thread's errno. */
  readonly errnoSymbol: "__errno_location" | "__error";
  /** Name of each errno, by number; holes are unused numbers. */
  readonly errnoNames: readonly (string | undefined)[];
  /** Bits of open(2). A bit that the system lacks is 0, so or-ing it in changes nothing. */
  readonly open: Record<OpenBit, number>;
  /** Bits of mmap(2); 0 if the system lacks one. */
  readonly map: Record<MapBit, number>;
  /** Advice of madvise(2); -1 if the system lacks one. */
  readonly memoryAdvice: Record<AdviceName, number>;
  /** Bits of msync(2). */
  readonly msync: Record<"ASYNC" | "INVALIDATE" | "SYNC", number>;
  /** The two origins of lseek(2) whose numbers differ. */
  readonly seek: Record<"DATA" | "HOLE", number>;
  /** Requests of ioctl(2); if the system lacks one, 0, which every driver rejects. */
  readonly ioctl: Record<"FIONREAD" | "SIOCOUTQ" | "FICLONE" | "SIOCETHTOOL", number>;
  /** Resources of getrlimit(2). */
  readonly resource: Record<"FSIZE" | "NOFILE" | "MEMLOCK", number>;
  /** Numbers for syscall(2) of calls that libc does not wrap; -1 if the system lacks the call. */
  readonly syscalls: Record<SyscallName, number>;
  /** The same, for calls that only some C libraries wrap; they differ by processor. */
  readonly unwrapped: Record<UnwrappedName, number>;
  /** Descriptor that means the current folder. */
  readonly atFdcwd: number;
  /**
   * Constants of the socket calls; if the system lacks one, an option is -1 and a type bit is 0.
   */
  readonly socket: Record<SocketName, number>;
  /** Bits of the `flags` argument of send(2) and recv(2); 0 if the system lacks one. */
  readonly message: Record<MessageBit, number>;
  /** Commands of fcntl(2); -1 if the system lacks one. */
  readonly fcntl: Record<FcntlName, number>;
  /** `struct epoll_event`: its size, and the offset of its 64-bit `data`, in bytes. */
  readonly epollEvent: { readonly size: number; readonly data: number };
  /**
   * Dummy arguments between the named and the variadic arguments of `fcntl`, `ioctl` and `open`;
   * `openat` has one more named argument and takes one less. Apple's arm64 passes variadic
   * arguments on the stack, so the six free registers must be filled first. Other systems pass them
   * like named arguments.
   */
  readonly variadicPadding: number;
}

export type OpenBit =
  | "CREAT"
  | "EXCL"
  | "NOCTTY"
  | "TRUNC"
  | "APPEND"
  | "NONBLOCK"
  | "DSYNC"
  | "SYNC"
  | "DIRECT"
  | "DIRECTORY"
  | "NOFOLLOW"
  | "NOATIME"
  | "CLOEXEC"
  | "PATH"
  | "TMPFILE";

export type MapBit =
  | "SHARED"
  | "PRIVATE"
  | "SHARED_VALIDATE"
  | "FIXED"
  | "ANONYMOUS"
  | "LOCKED"
  | "NORESERVE"
  | "POPULATE"
  | "HUGETLB"
  | "SYNC"
  | "FIXED_NOREPLACE";

export type AdviceName =
  | "NORMAL"
  | "RANDOM"
  | "SEQUENTIAL"
  | "WILLNEED"
  | "DONTNEED"
  | "FREE"
  | "REMOVE"
  | "DONTFORK"
  | "DOFORK"
  | "HUGEPAGE"
  | "NOHUGEPAGE"
  | "DONTDUMP"
  | "COLD"
  | "PAGEOUT"
  | "POPULATE_READ"
  | "POPULATE_WRITE";

export type UnwrappedName = "preadv2" | "pwritev2" | "renameat2" | "statx" | "getdents64";

export type SyscallName =
  | "io_uring_setup"
  | "io_uring_enter"
  | "io_uring_register"
  | "openat2"
  | "cachestat"
  | "landlock_create_ruleset"
  | "landlock_add_rule"
  | "landlock_restrict_self";

export type SocketName =
  | "AF_UNIX"
  | "AF_INET"
  | "AF_INET6"
  | "SOL_SOCKET"
  | "SO_REUSEADDR"
  | "SO_TYPE"
  | "SO_ERROR"
  | "SO_SNDBUF"
  | "SO_RCVBUF"
  | "SO_KEEPALIVE"
  | "SO_REUSEPORT"
  | "SO_ACCEPTCONN"
  | "SO_LINGER"
  | "SO_ZEROCOPY"
  | "SO_MAX_PACING_RATE"
  | "SOCK_NONBLOCK"
  | "SOCK_CLOEXEC"
  | "TCP_CORK"
  | "TCP_CONGESTION"
  | "TCP_NOTSENT_LOWAT"
  | "TCP_ULP";

export type MessageBit =
  | "PEEK"
  | "TRUNC"
  | "WAITALL"
  | "DONTWAIT"
  | "NOSIGNAL"
  | "MORE"
  | "ZEROCOPY";

export type FcntlName =
  | "GETFD"
  | "SETFD"
  | "GETFL"
  | "SETFL"
  | "DUPFD_CLOEXEC"
  | "SETPIPE_SZ"
  | "GETPIPE_SZ"
  | "ADD_SEALS"
  | "GET_SEALS"
  | "NOCACHE";
