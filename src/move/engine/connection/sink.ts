/** Targets that the runtime writes: connections, responses, streams, files. @module */

import { builtin } from "../../../builtins.ts";
import { asSyscallError, SyscallError, UnsupportedError } from "../../../errors.ts";
import { writeAll } from "../../../runtime/deno.ts";
import { type Connection, findConnection } from "../../../runtime/find.ts";
import type { RuntimeConnection } from "../../../runtime/types.ts";
import { libc } from "../../../sys/libc.ts";
import type { TransferProgress } from "../progress.ts";
import { type WebTarget, webTarget } from "./web_targets.ts";
import { connectionClosed } from "./closed.ts";
import { PromisedLength, promisedSink } from "./promised.ts";
import type { Sink } from "./sink_types.ts";

export type { Sink };

/** A target of the runtime. */
export type RuntimeTarget =
  | Connection
  | WebTarget
  | { readonly kind: "writable"; readonly stream: Writable };

type Writable = Parameters<typeof streamSink>[0];

/** The connection or stream behind an object of the runtime, or `undefined`. */
export function runtimeTarget(target: unknown): RuntimeTarget | undefined {
  if (typeof target !== "object" || target === null) return undefined;
  const { end, closeWrite, write, on } = target as Record<string, unknown>;
  // A `FileHandle` has `write` and `on` as well, but nothing to end.
  const ends = typeof end === "function" || typeof closeWrite === "function";
  if (typeof write !== "function" || !ends) return webTarget(target);
  try {
    return findConnection(target);
  } catch (error) {
    if (typeof on !== "function") throw error;
    return { kind: "writable", stream: target as Writable };
  }
}

/** The runtime's own writes to such a target. */
export function runtimeSink(target: RuntimeTarget): Sink {
  switch (target.kind) {
    case "writable":
      return streamSink(target.stream);
    case "response": {
      const { response } = target;
      return promisedSink(streamSink(response), new PromisedLength(response));
    }
    case "web":
      return target.open();
    default:
      return sinkOf(target, null);
  }
}

/** A connection that is a socket. */
export type SocketConnection = Exclude<Connection, { kind: "response" }>;

/** Pause between writes to a full socket of Bun, which has no event for free room, in milliseconds. */
const RETRY_MS = 5;

/** Waits for a `net.Socket` that is still connecting; rejects if it is closed. */
export async function connected(connection: SocketConnection): Promise<void> {
  if (connection.kind !== "socket") return;
  const { socket } = connection;
  if (socket.connecting) {
    await new Promise<void>((resolve) => {
      const settle = () => {
        socket.off("connect", settle).off("close", settle);
        resolve();
      };
      socket.on("connect", settle).on("close", settle);
    });
  }
  if (socket.pending || !socket.writable) {
    throw connectionClosed({ syscall: "write", cause: socket.errored ?? undefined });
  }
}

/** The portable way to write to a connection. */
export function sinkOf(
  connection: SocketConnection,
  runtimeConnection: RuntimeConnection | null,
): Sink {
  switch (connection.kind) {
    case "socket":
      return streamSink(connection.socket);
    case "deno": {
      const { conn } = connection;
      return {
        write: (bytes) => writeAll(conn, bytes),
        destroy: () => runtimeConnection?.destroy() ?? close(conn),
      };
    }
    case "bun": {
      const { socket } = connection;
      return {
        async write(bytes) {
          while (bytes.length > 0) {
            const taken = socket.write(bytes);
            if (taken < 0 || socket.readyState <= 0) throw new Error("The socket is closed");
            bytes = bytes.subarray(taken);
            if (bytes.length > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
          }
        },
        closed: () => socket.readyState <= 0,
        destroy: () => socket.terminate(),
      };
    }
  }
}

function close(conn: { close(): void }): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}

/** A sink on a Node.js stream: a socket, or a response of whatever kind. */
export function streamSink(
  stream: NodeJS.WritableStream & {
    destroy(): unknown;
    destroyed?: boolean;
    writableEnded?: boolean;
  },
): Sink {
  return {
    write(bytes) {
      return new Promise((resolve, reject) => {
        if (stream.destroyed || stream.writableEnded) {
          return reject(new Error("The stream has been closed"));
        }
        // If the peer disconnects, a response never calls back and emits only `close`.
        const close = () => settle(new Error("The stream has been closed"));
        const settle = (error?: Error | null) => {
          stream.removeListener("close", close);
          stream.removeListener("error", settle);
          if (error) reject(error);
          else resolve();
        };
        stream.once("close", close);
        stream.once("error", settle);
        stream.write(bytes, (error) => {
          settle(error);
          // The event with the same error follows, and would end a process that does not listen.
          if (error) stream.once("error", () => {});
        });
      });
    },
    destroy: () => void stream.destroy(),
  };
}

/**
 * Writes to a file by the runtime's pool, at its position or at an offset. For anything else, the
 * first write throws an `UnsupportedError`.
 */
export function portableSink(fd: number, offset: number | undefined): Sink {
  const { fstat, write } = builtin("fs");
  const action = `write to fd ${fd}`;
  const isFile = () =>
    new Promise<boolean>((resolve, reject) => {
      fstat(fd, (error, stats) => {
        if (error) reject(asSyscallError(error, "fstat", action));
        else resolve(stats.isFile());
      });
    });
  let known = false;
  let position = offset;
  const some = (bytes: Uint8Array) =>
    new Promise<number>((resolve, reject) => {
      write(fd, bytes, 0, bytes.length, position ?? null, (error, written) => {
        if (error) reject(asSyscallError(error, "write", action));
        else resolve(written);
      });
    });
  return {
    async write(bytes) {
      // Throws an error that names what is missing.
      if (!known && !await isFile()) libc();
      known = true;
      while (bytes.length > 0) {
        const written = await some(bytes);
        if (position !== undefined) position += written;
        bytes = bytes.subarray(written);
      }
    },
    destroy() {},
  };
}

/**
 * Waits until the connection has taken a write. A peer that does not read cannot delay an abort.
 *
 * @throws {SyscallError} When the connection is gone.
 * @throws {AbortError} When the signal fired.
 */
export async function taken(write: Promise<unknown>, progress: TransferProgress): Promise<void> {
  try {
    await progress.unlessAborted(write);
  } catch (cause) {
    if (progress.aborted) throw progress.abortError();
    if (cause instanceof SyscallError || cause instanceof UnsupportedError) throw cause;
    throw connectionClosed({ syscall: "write", bytesMoved: progress.bytes, cause });
  }
}
