/** Opens the socket that a server listens on. @module */

import { guardsPaths } from "../../../../ffi/mod.ts";
import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { ECONNREFUSED } from "../../../errno.ts";
import { errnoNumber, SyscallError } from "../../../errors.ts";
import { openFile } from "../../../threads/blocking/opening.ts";
import { resolveEndpoint } from "../../../move/relay/endpoint.ts";
import { encodeAddress, type SocketAddress } from "../../../sys/net/address.ts";
import { available } from "../../../sys/libc.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { SocketLevel, SocketOption } from "../../../sys/flags/socket.ts";
import { dupCloexec } from "../../../sys/fd.ts";
import { setStatusFlags, statusFlags } from "../../../sys/file/open.ts";
import { OpenFlag } from "../../../sys/flags/file.ts";
import { readFolders } from "../sites/options.ts";
import { openListener, streamSocket } from "../../../sys/net/listener.ts";

const EADDRINUSE = errnoNumber("EADDRINUSE");

/** Where a server listens. */
export interface ListenConfig {
  /** Socket that listens already; the other fields are for a new one. */
  readonly fd: number | undefined;
  readonly host: string;
  readonly path: string | undefined;
  readonly port: number;
  readonly backlog: number;
}

/** Opens the socket, or duplicates the one that is there: a descriptor that the caller owns. */
export async function openToListen(config: ListenConfig): Promise<number> {
  const { backlog, fd, host, path, port } = config;
  if (fd !== undefined) return adopt(fd);
  if (path !== undefined) return listenAt({ family: "Unix", path }, backlog);
  const name = host.replace(/^\[|\]$/g, "");
  return listenAt(await resolveEndpoint({ host: name, port }), backlog);
}

/** Duplicates a socket that listens. */
function adopt(fd: number): number {
  const listens = new Int32Array(1);
  const result = raw.getsockopt(fd, SocketLevel.SOCKET, SocketOption.ACCEPTCONN, listens);
  if (result < 0) {
    throw new SyscallError({ syscall: "getsockopt", errno: -result, action: `listen on fd ${fd}` });
  }
  if (listens[0] !== 1) {
    throw new TypeError(`Cannot listen on fd ${fd}: this socket does not listen`);
  }
  const own = dupCloexec(fd);
  // Threads that share it must not wait in accept4(2) for a connection that another one has got.
  setStatusFlags(own, statusFlags(own) | OpenFlag.NONBLOCK);
  return own;
}

/**
 * Listens on an address. Replaces a socket file that a crashed server left behind, but not one that
 * is in use, nor any other file.
 *
 * @throws {SyscallError} `EADDRINUSE`, and the errors of `openListener`.
 */
function listenAt(address: SocketAddress, backlog: number): number {
  try {
    return openListener(address, backlog);
  } catch (error) {
    if ((error as { errno?: unknown }).errno !== -EADDRINUSE || address.family !== "Unix") {
      throw error;
    }
    if (!isSocket(address.path)) {
      const action = `listen on ${address.path}, which exists and is not a socket`;
      throw new SyscallError({ syscall: "bind", errno: EADDRINUSE, action, cause: error });
    }
    if (!isLeft(address)) {
      const action = `listen on ${address.path}, which another server uses`;
      throw new SyscallError({ syscall: "bind", errno: EADDRINUSE, action, cause: error });
    }
    builtin("fs").rmSync(address.path, { force: true });
    return openListener(address, backlog);
  }
}

/** Identifies a socket file, to detect one that another server has put in its place. */
export function socketIdentity(path: string): string | undefined {
  try {
    const { dev, ino } = builtin("fs").lstatSync(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

function isSocket(path: string): boolean {
  try {
    return builtin("fs").lstatSync(path).isSocket();
  } catch {
    // An abstract name, or deleted meanwhile.
    return path[0] === "\0";
  }
}

/** Whether no server listens any more. */
function isLeft(address: SocketAddress & { family: "Unix" }): boolean {
  if (address.path[0] === "\0") return false;
  const fd = streamSocket("Unix");
  if (fd < 0) return false;
  const result = raw.connect(fd, encodeAddress(address));
  raw.close(fd);
  return result === ECONNREFUSED;
}

/** Whether the folders are there and can be read; not by the loop: they may be on another machine. */
export async function checkFolders(sites: Parameters<typeof readFolders>[0]): Promise<void> {
  await Promise.all(readFolders(sites).map(checkFolder));
}

async function checkFolder(root: string): Promise<void> {
  if (guardsPaths() || !available()) return void await builtin("fs").promises.readdir(root);
  (await openFile(root, platform.open.DIRECTORY)).close();
}
