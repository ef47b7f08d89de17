/** Constants of the calls on files. @module */

import { platform } from "../../../ffi/platform/mod.ts";

/** Bits of `flags` in `open()`, `openat()` and `openat2()`; 0 if the system lacks one. */
export const OpenFlag = {
  /** `O_RDONLY`: opens for reading only. */
  RDONLY: 0,
  /** `O_WRONLY`: opens for writing only. */
  WRONLY: 1,
  /** `O_RDWR`: opens for both. */
  RDWR: 2,
  /** `O_CREAT`: creates a missing file, with the given mode minus the umask. */
  CREAT: platform.open.CREAT as number,
  /** `O_EXCL`: with `CREAT`, fails with `EEXIST` if the file exists. */
  EXCL: platform.open.EXCL as number,
  /** `O_TRUNC`: empties the file. */
  TRUNC: platform.open.TRUNC as number,
  /** `O_APPEND`: every write appends; sendfile and splice reject such a file as target. */
  APPEND: platform.open.APPEND as number,
  /** `O_NONBLOCK`: `EAGAIN` instead of waiting; no effect on regular files. */
  NONBLOCK: platform.open.NONBLOCK as number,
  /** `O_DSYNC`: each write returns once its data is on the disk. */
  DSYNC: platform.open.DSYNC as number,
  /** `O_SYNC`: like `DSYNC`, for all metadata too. */
  SYNC: platform.open.SYNC as number,
  /**
   * `O_DIRECT`: bypasses the page cache; memory, offset and length must be aligned, see `statx()`.
   */
  DIRECT: platform.open.DIRECT as number,
  /** `O_DIRECTORY`: fails with `ENOTDIR` unless the path is a folder. */
  DIRECTORY: platform.open.DIRECTORY as number,
  /** `O_NOFOLLOW`: fails with `ELOOP` if the last component is a symbolic link. */
  NOFOLLOW: platform.open.NOFOLLOW as number,
  /** `O_NOATIME`: keeps the access time; `EPERM` unless you own the file. */
  NOATIME: platform.open.NOATIME as number,
  /** `O_CLOEXEC`: closes the descriptor in programs that this process starts. */
  CLOEXEC: platform.open.CLOEXEC as number,
  /** `O_PATH`: refers to the path only; for `openat()` and `statx()`, not for data. */
  PATH: platform.open.PATH as number,
  /** `O_TMPFILE`: creates an unnamed file in the given folder; needs `WRONLY` or `RDWR`. */
  TMPFILE: platform.open.TMPFILE as number,
} as const;

/** Bits of `resolve` in `openat2()`. */
export const ResolveFlag = {
  /** `RESOLVE_NO_XDEV`: rejects mount points with `EXDEV`. */
  NO_XDEV: 0x01,
  /** `RESOLVE_NO_MAGICLINKS`: rejects links of `/proc/PID/fd` with `ELOOP`. */
  NO_MAGICLINKS: 0x02,
  /** `RESOLVE_NO_SYMLINKS`: rejects all symbolic links with `ELOOP`. */
  NO_SYMLINKS: 0x04,
  /** `RESOLVE_BENEATH`: rejects paths that leave the folder, by `..` or a link, with `EXDEV`. */
  BENEATH: 0x08,
  /** `RESOLVE_IN_ROOT`: treats the folder as `/`, as chroot(2) does. */
  IN_ROOT: 0x10,
  /** `RESOLVE_CACHED`: `EAGAIN` instead of waiting for the disk. */
  CACHED: 0x20,
} as const;

/** Bits of `flags` in `preadv2()` and `pwritev2()`; unknown ones fail with `EOPNOTSUPP`. */
export const ReadFlag = {
  /** `RWF_HIPRI`: polls the device for completion; with `O_DIRECT` only. */
  HIPRI: 0x01,
  /** `RWF_DSYNC`: writes as with `O_DSYNC`. */
  DSYNC: 0x02,
  /** `RWF_SYNC`: writes as with `O_SYNC`. */
  SYNC: 0x04,
  /** `RWF_NOWAIT`: `EAGAIN`, or fewer bytes, instead of waiting for the disk. */
  NOWAIT: 0x08,
  /** `RWF_APPEND`: appends to the file. */
  APPEND: 0x10,
  /** `RWF_NOAPPEND`: writes at the offset despite `O_APPEND`; Linux 6.9. */
  NOAPPEND: 0x20,
  /** `RWF_DONTCACHE`: drops the pages from the cache afterwards; Linux 6.14. */
  DONTCACHE: 0x80,
} as const;

/** Origins that `lseek()` counts from. */
export const Whence = {
  /** `SEEK_SET`: the start of the file. */
  SET: 0,
  /** `SEEK_CUR`: the file position. */
  CUR: 1,
  /** `SEEK_END`: the end of the file. */
  END: 2,
  /** `SEEK_DATA`: the first byte at or after the offset that is not in a hole. */
  DATA: platform.seek.DATA as number,
  /** `SEEK_HOLE`: the first hole at or after the offset; the end of the file counts as one. */
  HOLE: platform.seek.HOLE as number,
} as const;

/** Bits of `mode` in `fallocate()`. */
export const FallocateFlag = {
  /** `FALLOC_FL_KEEP_SIZE`: reserves blocks past the end without changing the size. */
  KEEP_SIZE: 0x01,
  /** `FALLOC_FL_PUNCH_HOLE`: frees the blocks of the range; needs `KEEP_SIZE`. */
  PUNCH_HOLE: 0x02,
  /** `FALLOC_FL_COLLAPSE_RANGE`: removes the range from the file; whole blocks only. */
  COLLAPSE_RANGE: 0x08,
  /** `FALLOC_FL_ZERO_RANGE`: zeroes the range, usually without writing. */
  ZERO_RANGE: 0x10,
  /**
   * `FALLOC_FL_INSERT_RANGE`: moves the following data back and leaves a hole; whole blocks only.
   */
  INSERT_RANGE: 0x20,
} as const;

/** Values of `advice` in `posixFadvise()`. */
export const FileAdvice = {
  /** `POSIX_FADV_NORMAL`: the default read-ahead. */
  NORMAL: 0,
  /** `POSIX_FADV_RANDOM`: no read-ahead on this descriptor. */
  RANDOM: 1,
  /** `POSIX_FADV_SEQUENTIAL`: twice the read-ahead on this descriptor. */
  SEQUENTIAL: 2,
  /** `POSIX_FADV_WILLNEED`: starts to read the range into the cache. */
  WILLNEED: 3,
  /** `POSIX_FADV_DONTNEED`: drops the clean, whole pages of the range from the cache. */
  DONTNEED: 4,
  /** `POSIX_FADV_NOREUSE`: pages read by this descriptor are not marked as used; Linux 6.3. */
  NOREUSE: 5,
} as const;

/** Bits of `syncFileRange()`. */
export const SyncRangeFlag = {
  /** `SYNC_FILE_RANGE_WAIT_BEFORE`: waits for writeback in progress. */
  WAIT_BEFORE: 1,
  /** `SYNC_FILE_RANGE_WRITE`: starts to write the dirty pages of the range. */
  WRITE: 2,
  /** `SYNC_FILE_RANGE_WAIT_AFTER`: waits for these pages to be written. */
  WAIT_AFTER: 4,
} as const;

/** Bits of `splice()`, `tee()` and `vmsplice()`. */
export const SpliceFlag = {
  /** `SPLICE_F_MOVE`: moves pages instead of copying; a hint without effect since Linux 2.6.21. */
  MOVE: 1,
  /**
   * `SPLICE_F_NONBLOCK`: `EAGAIN` instead of waiting for the pipe; other descriptors keep their
   * mode.
   */
  NONBLOCK: 2,
  /**
   * `SPLICE_F_MORE`: more bytes follow at once; if none do, TCP waits up to 200 ms to send.
   */
  MORE: 4,
  /** `SPLICE_F_GIFT`: you will not modify the memory again; for `vmsplice()`. */
  GIFT: 8,
} as const;
