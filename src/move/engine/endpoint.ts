/** The descriptors at both ends of a transfer. @module */

import { platform } from "../../../ffi/platform/mod.ts";
import { errnoNumber, SyscallError } from "../../errors.ts";
import { check } from "../../sys/check.ts";
import * as raw from "../../sys/raw/mod.ts";
import { deviceSize, FileType, sameFile } from "../../sys/file/statx.ts";
import { closeFile, type FileStatus, isLocal, statusOf } from "../../threads/blocking/files.ts";

const ACCESS_MODE = 3;
const WRITE_ONLY = 1;

/** A descriptor that bytes are read from or written to. */
export interface End {
  /** The number that the caller passed; {@linkcode verify} checks that it still means the same file. */
  readonly given: number;
  /** Our own duplicate, which no other code closes during a call. */
  fd: number;
  /** File type: see `FileType`. */
  readonly type: number;
  /** Bytes and blocks, of a file. */
  readonly size: number;
  readonly blocks: number;
  /** Whether a call on it may wait in the kernel: it is no file, and `O_NONBLOCK` is not set. */
  readonly blocking: boolean;
  /** Whether it is a device that never waits, such as `/dev/null` and `/dev/zero`. */
  readonly instant: boolean;
  /** Whether every write goes to the end: `O_APPEND`. */
  readonly append: boolean;
  /** Whether it bypasses the page cache: `O_DIRECT`. */
  direct: boolean;
  /** Its attributes; `undefined` for an end that sluice made itself. */
  readonly status?: FileStatus | undefined;
}

/** Whether an end has positions, and its bytes lie in the page cache. */
export function isFile({ type }: Pick<End, "type">): boolean {
  return type === FileType.REGULAR || type === FileType.BLOCK;
}

/**
 * Duplicates and examines a descriptor.
 *
 * @throws {SyscallError} `EBADF` when it is not open for this role; `EISDIR` for a folder; `EINVAL` for
 * a descriptor that carries no bytes, such as an eventfd or an epoll set; `EMFILE`.
 */
export async function openEnd(given: number, role: "source" | "target"): Promise<End> {
  const action = () => `${role === "source" ? "read from" : "write to"} fd ${given}`;
  const refuse = (code: string, syscall: string) =>
    new SyscallError({ syscall, errno: errnoNumber(code), action: action() });
  const flags = check(raw.fcntl(given, platform.fcntl.GETFL, 0), "fcntl", action);
  const mode = flags & ACCESS_MODE;
  const path = platform.open.PATH !== 0 && (flags & platform.open.PATH) !== 0;
  if (path || mode === (role === "source" ? WRITE_ONLY : 0)) {
    throw refuse("EBADF", role === "source" ? "read" : "write");
  }
  const status = check(await statusOf(given), "statx", action);
  const { type, size, blocks } = status;
  if (type === FileType.DIRECTORY) throw refuse("EISDIR", role === "source" ? "read" : "write");
  if (!CARRIERS.includes(type)) throw refuse("EINVAL", "splice");
  const fd = check(raw.fcntl(given, platform.fcntl.DUPFD_CLOEXEC, 0), "fcntl", action);
  const instant = type === FileType.CHARACTER && neverWaits(status);
  return {
    given,
    fd,
    type,
    size: type === FileType.BLOCK ? Math.max(0, deviceSize(fd)) : size,
    blocks,
    blocking: !isFile({ type }) && !instant && (flags & platform.open.NONBLOCK) === 0,
    instant,
    append: (flags & platform.open.APPEND) !== 0,
    direct: isFile({ type }) && (flags & platform.open.DIRECT) !== 0,
    status,
  };
}

const CARRIERS: readonly number[] = [
  FileType.REGULAR,
  FileType.BLOCK,
  FileType.FIFO,
  FileType.SOCKET,
  FileType.CHARACTER,
];

/** `MEM_MAJOR`: see null(4), random(4). */
const MEMORY_DEVICES = 1;

/** null, zero, full, urandom. `/dev/kmsg` and `/dev/mem` have the same major number, and may wait or fail. */
const INSTANT: readonly number[] = [3, 5, 7, 9];

function neverWaits({ rdev: [major, minor] }: FileStatus): boolean {
  return platform.os === "linux" && major === MEMORY_DEVICES && INSTANT.includes(minor);
}

/** Whether calls on a file may wait for another machine or process. */
export function isRemote({ type, fd }: End): boolean {
  return type === FileType.REGULAR && !isLocal(fd);
}

/** An end that sluice opened or duplicated, and that does not block; no other code closes it. */
export function ownEnd(fd: number, type: number, size = 0): End {
  return {
    given: fd,
    fd,
    type,
    size,
    blocks: 0,
    blocking: false,
    instant: false,
    append: false,
    direct: false,
  };
}

/** Closes our duplicate; the caller's descriptor stays open. */
export function closeEnd(end: End): void {
  if (isRemote(end)) closeFile(end.fd);
  else raw.close(end.fd);
}

/**
 * Detects that the caller closed a descriptor during a transfer, even if its number was reused.
 *
 * @throws {SyscallError} `EBADF`, with the bytes moved.
 */
export function verify({ given, fd }: End, bytesMoved: number): void {
  if (given === fd || sameFile(given, fd)) return;
  throw new SyscallError({
    syscall: "statx",
    errno: errnoNumber("EBADF"),
    action: `go on with fd ${given}, which was closed during the transfer`,
    bytesMoved,
  });
}

/**
 * Reopens a file that is open with `O_DIRECT`, so that it uses the page cache: `O_DIRECT` supports
 * neither odd offsets and lengths, nor pipes and sockets. The caller's descriptor is unaffected.
 *
 * @returns Whether it was reopened.
 */
export function goBuffered(end: End, role: "source" | "target"): boolean {
  return end.direct && reopenBuffered(end, role) === 0;
}

/** Like {@linkcode goBuffered}; returns 0, or `-errno` if it cannot be reopened and stays as it is. */
export function reopenBuffered(end: End, role: "source" | "target"): number {
  const flags = (role === "source" ? 0 : WRITE_ONLY) | platform.open.CLOEXEC;
  const fd = raw.open(`/proc/self/fd/${end.fd}`, flags, 0);
  if (fd < 0) return fd;
  raw.close(end.fd);
  end.fd = fd;
  end.direct = false;
  return 0;
}

const SEEK_SET = 0;
const SEEK_CUR = 1;

/** The file position of a file. */
export function positionOf(end: End): number {
  return Math.max(0, raw.lseek(end.fd, 0, SEEK_CUR));
}

/** Sets the file position, which all duplicates of a descriptor share. */
export function moveTo(end: End, position: number): void {
  raw.lseek(end.fd, position, SEEK_SET);
}
