/** Gives a descriptor to the runtime. @module */

import type { Socket } from "node:net";
import { runtime } from "../../ffi/mod.ts";
import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import { UnsupportedError } from "../errors.ts";
import { SocketLevel } from "../sys/flags/socket.ts";
import * as raw from "../sys/raw/mod.ts";

/** A connected stream socket that the runtime owns: it polls, reads and closes it. */
export interface AdoptedSocket {
  /** Keeps the process alive while the socket is open. */
  ref(): void;
  /** Lets the process end although the socket is open, which is the initial state. */
  unref(): void;
  /** Closes the socket and its descriptor. */
  close(): void;
}

/** Events of an adopted socket. */
export interface AdoptedEvents {
  /** Called with received bytes, which are valid until it returns. */
  data(bytes: Uint8Array): void;
  /** Called once when the socket is closed; with an error unless one side closed it normally. */
  close(error?: Error): void;
}

/** The part of Bun's socket API used here. */
interface BunSocket {
  ref(): void;
  unref(): void;
  end(): void;
}

interface Globals {
  readonly Bun?: {
    connect(options: {
      fd: number;
      socket: {
        data(socket: BunSocket, bytes: Uint8Array): void;
        close(socket: BunSocket, error?: Error): void;
        error(socket: BunSocket, error: Error): void;
      };
    }): Promise<BunSocket>;
  };
}

const { Bun } = globalThis as Globals;

/**
 * Gives a connected, non-blocking stream socket to the runtime. The runtime owns the descriptor
 * from then on, and reports received bytes within microseconds, without a thread. If the call
 * throws, the caller still owns the descriptor.
 *
 * @throws {UnsupportedError} When the permissions of Node.js forbid sockets.
 */
export const adopt: (fd: number, events: AdoptedEvents) => AdoptedSocket = Bun === undefined
  ? adoptByNet
  : adoptByBun;

function adoptByNet(fd: number, events: AdoptedEvents): AdoptedSocket {
  const socket = openSocket(fd);
  let failure: Error | undefined;
  socket.on("data", (bytes: Buffer) => events.data(bytes));
  socket.on("error", (error) => failure = error);
  socket.on("close", () => events.close(failure));
  socket.unref();
  return {
    ref: () => void socket.ref(),
    unref: () => void socket.unref(),
    close: () => void socket.destroy(),
  };
}

/** Since 26.12, Node.js treats any socket created from a descriptor as network access. */
function openSocket(fd: number): Socket {
  try {
    return new (builtin("net").Socket)({ fd });
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code !== "ERR_ACCESS_DENIED") throw cause;
    throw new UnsupportedError({
      action: "receive completions from a thread",
      reason: "sockets are not permitted; start Node.js with --allow-net, or without --permission",
      cause,
    });
  }
}

/**
 * Has a socket that a thread of ours uses closed with the user's Worker that made it, also by
 * `terminate()`, which runs no code of ours: Node.js then closes what it owns. Takes descriptors of other
 * kinds as they are, and those that wait, for Node.js would change that for all who share them.
 *
 * @returns Closes the descriptor; 0, or `-errno`. Call once, and only when no thread uses it any more.
 */
export function closeWithWorker(fd: number): () => number {
  const close = () => raw.close(fd);
  if (builtin("worker_threads").isMainThread || runtime().name !== "node") return close;
  const flags = raw.fcntl(fd, platform.fcntl.GETFL, 0);
  const { SOCKET } = SocketLevel;
  const isSocket =
    raw.getsockopt(fd, SOCKET, platform.socket.SO_ACCEPTCONN, new Int32Array(1)) >= 0;
  if (!isSocket || flags < 0 || (flags & platform.open.NONBLOCK) === 0) return close;
  let socket: Socket;
  try {
    // It neither reads nor listens: it holds the descriptor.
    socket = new (builtin("net").Socket)({ fd, readable: false, writable: false });
  } catch {
    // Not permitted.
    return close;
  }
  socket.on("error", () => {}).unref();
  return () => {
    socket.destroy();
    return 0;
  };
}

/**
 * Bun does not fully support `new net.Socket({ fd })`; its own API takes a descriptor, one tick
 * later.
 */
function adoptByBun(fd: number, events: AdoptedEvents): AdoptedSocket {
  let socket: BunSocket | undefined;
  let referenced = false;
  let closed = false;
  const apply = () => {
    if (socket === undefined) return;
    if (closed) socket.end();
    else if (referenced) socket.ref();
    else socket.unref();
  };
  const handlers = {
    data: (_: BunSocket, bytes: Uint8Array) => events.data(bytes),
    close: (_: BunSocket, error?: Error) => events.close(error),
    error: () => {}, // `close` follows, with the same error
  };
  Bun!.connect({ fd, socket: handlers }).then((opened) => {
    socket = opened;
    apply();
  }, (error: Error) => events.close(error));
  return {
    ref() {
      referenced = true;
      apply();
    },
    unref() {
      referenced = false;
      apply();
    },
    close() {
      closed = true;
      apply();
    },
  };
}
