/**
 * Relays through the runtime's own reads and writes, for sockets that hide their descriptor.
 * @module
 */

import { EAGAIN } from "../../errno.ts";
import { AbortError, errnoNumber, SyscallError } from "../../errors.ts";
import { type ByteStream, denoStream, socketStream } from "../../runtime/reading/byte_stream.ts";
import { check } from "../../sys/check.ts";
import { PollEvent } from "../../sys/flags/event.ts";
import { FileType } from "../../sys/file/statx.ts";
import { ShutdownHow } from "../../sys/flags/socket.ts";
import * as raw from "../../sys/raw/mod.ts";
import { ready } from "../../threads/poll/poll_ready.ts";
import { DescriptorWriter } from "../engine/descriptor_writer.ts";
import { ownEnd } from "../engine/endpoint.ts";
import { TransferProgress } from "../engine/progress.ts";
import { readNow } from "../engine/staging.ts";
import { type Side, unreadable } from "./side.ts";
import type { PairSettings } from "./types.ts";

const BUFFER_BYTES = 64 * 1024;
const ACTION = "relay between two sockets";

/** Copies between two sockets until both directions have ended, and closes them. */
export async function copyPair(
  first: Side,
  second: Side,
  { idleMs, progress, signal }: PairSettings,
): Promise<"copy"> {
  const streams = [streamOf(first), streamOf(second)] as const;
  let activeAt = performance.now();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const abort = () => ended.reject(new AbortError(progress.bytes, signal!.reason));
  const checkIdle = () => {
    if (performance.now() - activeAt >= idleMs) ended.reject(idle());
  };
  const timer = idleMs > 0 ? setInterval(checkIdle, Math.min(idleMs, 250)) : undefined;
  signal?.addEventListener("abort", abort);
  const count = (way: "bytesForth" | "bytesBack") => (bytes: number) => {
    activeAt = performance.now();
    progress[way] += bytes;
    progress.bytes += bytes;
  };
  const [a, b] = streams;
  const both = Promise.all([pump(a, b, count("bytesForth")), pump(b, a, count("bytesBack"))]);
  try {
    await Promise.race([both, ended.promise]);
    return "copy";
  } catch (cause) {
    throw cause instanceof AbortError ? cause : failure(cause, progress.bytes);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", abort);
    for (const stream of streams) stream.destroy();
    // Pending calls on a destroyed stream fail; the error is already reported.
    both.catch(() => {});
  }
}

async function pump(
  from: ByteStream,
  to: ByteStream,
  moved: (bytes: number) => void,
): Promise<void> {
  for (let bytes; (bytes = await from.read()) !== null;) {
    await to.write(bytes);
    moved(bytes.length);
  }
  await to.end();
}

function streamOf(side: Side): ByteStream {
  if (side.kind === "descriptor") return descriptorStream(side.fd);
  switch (side.connection.kind) {
    case "socket":
      return socketStream(side.connection.socket);
    case "deno":
      return denoStream(side.connection.conn);
    case "bun":
      throw unreadable();
  }
}

/** The streams of a borrowed descriptor, blocking or not. */
function descriptorStream(fd: number): ByteStream {
  const end = ownEnd(fd, FileType.SOCKET);
  const buffer = new Uint8Array(BUFFER_BYTES);
  const controller = new AbortController();
  const { signal } = controller;
  const writer = new DescriptorWriter(end, null);
  const progress = new TransferProgress({ signal }, Infinity);
  return {
    async read() {
      for (;;) {
        const count = readNow(end, buffer);
        if (count === 0) return null;
        if (count > 0) return buffer.subarray(0, count);
        if (count !== EAGAIN) check(count, "recv", () => `relay fd ${fd}`);
        await ready(fd, PollEvent.IN, { signal });
      }
    },
    write: (bytes) => writer.write(bytes, progress),
    end() {
      raw.shutdown(fd, ShutdownHow.WR);
      return Promise.resolve();
    },
    destroy: () => controller.abort(),
  };
}

/** Adds `bytesMoved` to an error of either socket; the runtimes agree only on its code. */
function failure(cause: unknown, bytesMoved: number): unknown {
  const { code, syscall = "read" } = cause as { code?: string; syscall?: string };
  const errno = errnoNumber(code ?? "");
  if (errno === 0) return cause;
  return new SyscallError({ syscall, errno, action: ACTION, bytesMoved, cause });
}

function idle(): SyscallError {
  return new SyscallError({ syscall: "poll", errno: errnoNumber("ETIMEDOUT"), action: ACTION });
}
