/** One of the two sockets to relay. @module */

import { UnsupportedError } from "../../errors.ts";
import { findConnection } from "../../runtime/find.ts";
import {
  isTakeable,
  type Takeable,
  type TakenConnection,
  takeOver,
} from "../../runtime/take_over.ts";
import { describe } from "../../options.ts";
import { check } from "../../sys/check.ts";
import { dupCloexec, fdOf } from "../../sys/fd.ts";
import { OpenFlag } from "../../sys/flags/file.ts";
import { available } from "../../sys/libc.ts";
import { statusFlags } from "../../sys/file/open.ts";
import * as raw from "../../sys/raw/mod.ts";
import { SocketLevel, SocketOption, SocketType } from "../../sys/flags/socket.ts";
import type { RelayTarget } from "./types.ts";

/** A socket of the caller, by its kind. */
export type Side =
  | {
    readonly kind: "connection";
    readonly connection: Takeable;
    /** Whether it exposes its descriptor; if not, its bytes must be copied. */
    readonly takeable: boolean;
  }
  | {
    readonly kind: "descriptor";
    readonly fd: number;
    readonly takeable: true;
    /** Whether calls on it would block. */
    readonly blocking: boolean;
  };

const option = new Int32Array(1);

/** Detects the kind of a target, and waits until it is connected. Changes nothing. */
export async function examine(target: RelayTarget): Promise<Side> {
  if (typeof target === "number") return examineDescriptor(target);
  const connection = findConnection(target, "relay");
  if (connection.kind === "response") {
    throw new TypeError(`Cannot relay ${describe(target)}: expected a socket or a descriptor`);
  }
  const takeable = available() && await isTakeable(connection);
  return { kind: "connection", connection, takeable };
}

/** Takes a side over. The caller owns the duplicate that it returns. */
export async function take(side: Side): Promise<TakenConnection> {
  if (side.kind === "connection") return await takeOver(side.connection);
  const fd = dupCloexec(side.fd);
  // The owner keeps the descriptor itself.
  return { fd, ahead: undefined, whenClosed() {}, destroy() {} };
}

/** Closes a connection that was not taken over, after the bytes it has written. */
export function closeUntaken(side: Side): void {
  if (side.kind === "descriptor") return;
  const { connection } = side;
  if (connection.kind === "socket") return void connection.socket.destroy();
  if (connection.kind === "bun") return connection.socket.terminate();
  try {
    connection.conn.close();
  } catch {
    // Already closed.
  }
}

/** The error for a socket that passes its bytes to other handlers, and hides its descriptor. */
export function unreadable(): UnsupportedError {
  return new UnsupportedError({
    action: "relay a socket of Bun's own API",
    reason:
      "one of the two is encrypted or cannot be called, and Bun passes received bytes to the " +
      "handlers of its own sockets only; use node:net and node:tls",
  });
}

function examineDescriptor(target: number): Side {
  const fd = fdOf(target, "socket");
  const action = () => `relay fd ${fd}`;
  check(raw.getsockopt(fd, SocketLevel.SOCKET, SocketOption.TYPE, option), "getsockopt", action);
  if (option[0] !== SocketType.STREAM) {
    throw new TypeError(`Cannot relay fd ${fd}: expected a stream socket`);
  }
  const blocking = (statusFlags(fd) & OpenFlag.NONBLOCK) === 0;
  return { kind: "descriptor", fd, takeable: true, blocking };
}
