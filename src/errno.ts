/**
 * Error numbers of the system, and groups of them by what they mean to code that moves bytes.
 *
 * All numbers are negative, as raw calls return them: `result === EAGAIN`.
 *
 * @module
 */

import { errnoNumber } from "./errors.ts";

export const EAGAIN: number = -errnoNumber("EAGAIN");
export const EBADF: number = -errnoNumber("EBADF");
export const EBUSY: number = -errnoNumber("EBUSY");
export const ECANCELED: number = -errnoNumber("ECANCELED");
export const ECONNREFUSED: number = -errnoNumber("ECONNREFUSED");
export const ECONNRESET: number = -errnoNumber("ECONNRESET");
export const EDQUOT: number = -errnoNumber("EDQUOT");
export const EEXIST: number = -errnoNumber("EEXIST");
export const EFAULT: number = -errnoNumber("EFAULT");
export const EFBIG: number = -errnoNumber("EFBIG");
export const EINPROGRESS: number = -errnoNumber("EINPROGRESS");
export const EINTR: number = -errnoNumber("EINTR");
export const EINVAL: number = -errnoNumber("EINVAL");
export const EIO: number = -errnoNumber("EIO");
export const EISDIR: number = -errnoNumber("EISDIR");
export const ELOOP: number = -errnoNumber("ELOOP");
export const EMFILE: number = -errnoNumber("EMFILE");
export const ENAMETOOLONG: number = -errnoNumber("ENAMETOOLONG");
export const ENFILE: number = -errnoNumber("ENFILE");
export const ENODEV: number = -errnoNumber("ENODEV");
export const ENOENT: number = -errnoNumber("ENOENT");
export const ENOMEM: number = -errnoNumber("ENOMEM");
export const ENOSPC: number = -errnoNumber("ENOSPC");
export const ENOSYS: number = -errnoNumber("ENOSYS");
export const ENOTSOCK: number = -errnoNumber("ENOTSOCK");
export const ENXIO: number = -errnoNumber("ENXIO");
export const EOPNOTSUPP: number = -errnoNumber("EOPNOTSUPP");
export const EPERM: number = -errnoNumber("EPERM");
export const EPIPE: number = -errnoNumber("EPIPE");
export const ESRCH: number = -errnoNumber("ESRCH");
export const ESHUTDOWN: number = -errnoNumber("ESHUTDOWN");
export const ESPIPE: number = -errnoNumber("ESPIPE");
export const ETIMEDOUT: number = -errnoNumber("ETIMEDOUT");
export const EXDEV: number = -errnoNumber("EXDEV");

/** Numbers of those errors that this system defines. */
function numbers(...names: string[]): ReadonlySet<number> {
  return new Set(names.map(errnoNumber).filter((errno) => errno > 0).map((errno) => -errno));
}

/**
 * This call cannot serve these descriptors, but another call may. See ERRORS in sendfile(2) and
 * splice(2).
 */
export const REFUSALS: ReadonlySet<number> = numbers(
  "EINVAL", // a file without pages (procfs, FUSE), a target that appends, an odd kind of socket
  "ENOSYS", // an emulated kernel
  "EOPNOTSUPP", // a network file system
  "EPERM", // a seccomp filter
  "EOVERFLOW", // a network file system, at a large offset
);

/** The kernel is out of memory for now. Retry a little later. */
export const SHORTAGES: ReadonlySet<number> = numbers("ENOBUFS", "ENOMEM");

/** No descriptor or memory is left for another pipe or file. */
export const EXHAUSTIONS: ReadonlySet<number> = numbers("EMFILE", "ENFILE", "ENOMEM");

/** The peer has closed or reset the connection. */
export const HANGUPS: ReadonlySet<number> = numbers("ECONNRESET", "EPIPE");

/** The target accepts no more bytes from any call. */
export const FINAL_REFUSALS: ReadonlySet<number> = numbers(
  "ECONNRESET",
  "EDQUOT",
  "EFBIG",
  "ENOSPC",
  "EPIPE",
);
