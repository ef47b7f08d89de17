/** Reads a connection in place of the runtime for a while. @module */

import type { Socket } from "node:net";
import { builtin } from "../../builtins.ts";
import { concat } from "../../bytes.ts";
import { UnsupportedError } from "../../errors.ts";
import { available } from "../../sys/libc.ts";
import { dupCloexec } from "../../sys/fd.ts";
import { SocketLevel, SocketOption } from "../../sys/flags/socket.ts";
import * as raw from "../../sys/raw/mod.ts";
import { bunConnection, type BunSocket, isBunSocket } from "../bun.ts";
import { denoConnection, isDenoConn } from "../deno.ts";
import { isPlain } from "../socket.ts";
import type { RuntimeConnection } from "../types.ts";

/** A connection that the runtime does not read until it is given back. */
export interface BorrowedInput {
  readonly kind: "borrowed";
  /** A duplicate of its descriptor, non-blocking like the original. */
  readonly fd: number;
  /** Bytes that the runtime has received; what is left of them at the end goes back to it. */
  rest: Uint8Array;
  /** Whether the program has closed the connection, so received bytes can be dropped. */
  closed(): boolean;
  /** Resets an idle timer of the runtime, because bytes have moved. */
  touch(): void;
  /**
   * Calls `listener` when the program closes the connection meanwhile, if the runtime reports that.
   */
  whenClosed(listener: () => void): void;
  /** Closes the duplicate, and lets the runtime read again: `rest` first, then new bytes. */
  close(): void;
}

/** The undocumented part of a Node.js handle that is used here. */
interface Handle {
  readonly fd: number;
  reading: boolean;
  readStop(): void;
  readStart(): void;
}

const NOTHING: Uint8Array = new Uint8Array(0);
const type = new Int32Array(1);

/**
 * Stops the runtime from reading `source`.
 *
 * The runtime keeps reading if it cannot stop at an exact byte: `net.Socket` of Bun and of Deno,
 * encrypted connections, and sockets with another reader, an encoding or a decoder.
 *
 * @param source Source that the caller wants to read, of any kind.
 * @param always Whether to also borrow connections that the runtime could read itself.
 * @returns `null` for those, and if `source` is not a connection.
 *
 * @throws {UnsupportedError} For an encrypted socket of Bun's own API, which cannot be read in
 * another way.
 */
export function borrowReading(source: unknown, always: boolean): BorrowedInput | null {
  if (typeof source !== "object" || source === null || !available()) return null;
  if (isBunSocket(source)) return borrowBun(source);
  if (!always) return null;
  if (isDenoConn(source)) return borrowed(denoConnection(source), () => {});
  return source instanceof builtin("net").Socket ? borrowSocket(source) : null;
}

function borrowBun(socket: BunSocket): BorrowedInput {
  const reading = socket.pause === undefined || socket.resume === undefined
    ? null
    : borrowed(bunConnection(socket), () => socket.resume!());
  if (reading === null) {
    throw new UnsupportedError({
      action: "read from a socket of Bun's own API",
      reason: "it is encrypted or closed, and Bun passes its data to its handlers only; " +
        "use node:net and node:tls",
    });
  }
  socket.pause!();
  return reading;
}

/** For runtimes that buffer nothing: Deno reads on demand, and Bun passes all bytes on. */
function borrowed(
  runtimeConnection: RuntimeConnection | null,
  resume: () => void,
): BorrowedInput | null {
  const fd = runtimeConnection?.fd() ?? -1;
  if (runtimeConnection === null || fd < 0) return null;
  const duplicate = dupCloexec(fd);
  return {
    kind: "borrowed",
    fd: duplicate,
    rest: NOTHING,
    closed: () => runtimeConnection.fd() < 0,
    touch: () => runtimeConnection.touch(),
    // Both report it only to the socket's creator.
    whenClosed() {},
    close() {
      raw.close(duplicate);
      if (runtimeConnection.fd() >= 0) resume();
    },
  };
}

/**
 * Node.js: the handle starts and stops at an exact byte, all within one turn of the event loop.
 * `read()` takes the buffered bytes and restarts the handle, so stop it before and after.
 */
function borrowSocket(socket: Socket): BorrowedInput | null {
  const handle = handleOf(socket);
  if (handle === null || !isPlain(socket) || !isUnread(socket)) return null;
  // Standard input is also a socket object, whatever is behind it.
  if (raw.getsockopt(handle.fd, SocketLevel.SOCKET, SocketOption.TYPE, type) < 0) return null;
  const fd = dupCloexec(handle.fd);
  handle.readStop();
  const pieces: Uint8Array[] = [];
  for (let piece; (piece = socket.read() as Uint8Array | null) !== null;) pieces.push(piece);
  handle.readStop();
  const { bytesRead } = socket;
  let listener = () => {};
  const closed = () => socket.destroyed && !socket.readableEnded;
  return {
    kind: "borrowed",
    fd,
    rest: concat(pieces),
    closed,
    touch() {
      if ((socket.timeout ?? 0) > 0) socket.setTimeout(socket.timeout!);
    },
    whenClosed(given) {
      listener = given;
      socket.once("close", listener);
    },
    close() {
      raw.close(fd);
      socket.off("close", listener);
      if (socket.destroyed || socket.readableEnded) return;
      if (socket.bytesRead !== bytesRead) {
        // The runtime took bytes from the middle of what the borrower read.
        socket.destroy(
          new Error("Cannot give a connection back: the runtime has read from it"),
        );
        return;
      }
      if (this.rest.length > 0) socket.unshift(this.rest);
      // Match what `read()` left in the stream's state.
      handle.reading = true;
      handle.readStart();
    },
  };
}

/** Whether no other code reads the socket or decodes its bytes. */
function isUnread(socket: Socket): boolean {
  return !socket.connecting && !socket.destroyed && !socket.readableEnded &&
    socket.readableEncoding === null && socket.readableFlowing !== true &&
    socket.listenerCount("data") === 0 && socket.listenerCount("readable") === 0;
}

/** The handle of Node.js; the handles of Bun and Deno lack some methods. */
function handleOf(socket: Socket): Handle | null {
  const { _handle: handle } = socket as unknown as { _handle?: Partial<Handle> | null };
  const whole = typeof handle?.readStop === "function" &&
    typeof handle.readStart === "function" && typeof handle.reading === "boolean";
  return whole && (handle.fd ?? -1) >= 0 ? handle as Handle : null;
}
