/** Where a target's bytes leave: a descriptor, a connection of the runtime, or its own writes. @module */

import type { ServerResponse } from "node:http";
import { platform } from "../../../ffi/platform/mod.ts";
import { guestOf } from "../../guest/find.ts";
import { cutOff, sendHead, socketOf } from "../../guest/response.ts";
import { isPlain } from "../../guest/socket.ts";
import type { Guest } from "../../guest/types.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { FileType } from "../../sys/statx.ts";
import { connectionClosed } from "../closed.ts";
import { type Sink, streamSink } from "../copy.ts";
import { closeEnd, type End, goBuffered, isFile, openEnd } from "../ends.ts";
import { openBody } from "../engine/response_body.ts";
import { endGuest } from "../file_to_stream.ts";
import { runtimeSink, type RuntimeTarget } from "../runtime_ends.ts";
import { connected } from "../send_to_socket.ts";
import { writeNow } from "../stage.ts";
import { floorSink } from "../transfer_floor.ts";

/** One of `guest`, `file` and `sink` is there, and takes the bytes. */
export interface Outlet {
  /** Written by its descriptor, which does not wait. */
  readonly guest: Guest | null;
  /** Written by the thread, at its file position. */
  readonly file: End | null;
  /** Written by the runtime. */
  readonly sink: Sink | null;
  /** Whether it may be given pages. */
  readonly splices: boolean;
  /** Whether it is a pipe. */
  readonly toPipe: boolean;
  /** Writes what there is room for, without waiting: a count, or `-errno`. */
  write(fd: number, bytes: Uint8Array): number;
  /** The stream is complete. */
  finish(): void;
  /** The stream has broken off, and nobody may take it for complete. */
  cut(): void;
  /** The target shall get nothing more, and its peer see that. */
  disconnect(): void;
  /** Lets go of the target, which stays its owner's. */
  release(): void;
}

const { DONTWAIT, NOSIGNAL } = platform.message;
const SHUT_RDWR = 2;

/**
 * Opens a target that is identified already.
 *
 * @param total Bytes that will be sent, or `Infinity`: a response may have promised a number of them.
 *
 * @throws {SyscallError} `EBADF` when a descriptor is not open for writing; `EPIPE` when a connection is
 * closed already.
 */
export async function openOutlet(target: RuntimeTarget | number, total: number): Promise<Outlet> {
  if (typeof target === "number") return available() ? byDescriptor(target) : onFloor(target);
  if (target.kind === "response") return await toResponse(target.response, total);
  if (target.kind === "writable") return bySink(runtimeSink(target));
  await connected(target);
  const guest = available() ? guestOf(target) : null;
  return guest === null ? bySink(runtimeSink(target)) : byGuest(guest);
}

const nothing = {
  guest: null,
  file: null,
  sink: null,
  splices: false,
  toPipe: false,
  write: (fd: number, bytes: Uint8Array) => raw.send(fd, bytes, DONTWAIT | NOSIGNAL),
  finish() {},
  cut() {},
  disconnect() {},
  release() {},
};

function bySink(sink: Sink): Outlet {
  return { ...nothing, sink, disconnect: () => sink.destroy() };
}

function byGuest(guest: Guest): Outlet {
  return {
    ...nothing,
    guest,
    splices: true,
    disconnect: () => guest.destroy(),
    release: () => guest.release(),
  };
}

function onFloor(fd: number): Outlet {
  return bySink(floorSink(fd, undefined));
}

function byDescriptor(fd: number): Outlet {
  const end = openEnd(fd, "target");
  const release = () => closeEnd(end);
  if (isFile(end)) {
    goBuffered(end, "target");
    return { ...nothing, file: end, splices: true, release };
  }
  const { type, blocking } = end;
  return {
    ...nothing,
    guest: endGuest(end),
    // On a pipe a flag of the call is enough; what else waits in the kernel gets bytes, for which
    // there are calls that do not.
    splices: type === FileType.FIFO || (type === FileType.SOCKET && !blocking),
    toPipe: type === FileType.FIFO,
    write: (_, bytes) => writeNow(end, bytes),
    // Not closed, for the number is its owner's; but the peer sees an end.
    disconnect: () => void raw.shutdown(end.fd, SHUT_RDWR),
    release,
  };
}

/**
 * A response whose body is delimited by its length, or by the end of the connection, is sent by
 * descriptor; one in chunks, and what `node:http` does not send as it is, by the runtime.
 */
async function toResponse(res: ServerResponse, total: number): Promise<Outlet> {
  if (res.writableEnded || res.destroyed) throw connectionClosed({ syscall: "write" });
  const disconnect = () => cutOff(res);
  const ends = { finish: () => void res.end(), cut: disconnect, disconnect };
  const copied: Outlet = { ...nothing, sink: streamSink(res), ...ends };
  if (!available()) return copied;
  const socket = await socketOf(res);
  if (socket === null || res.destroyed) throw connectionClosed({ syscall: "write" });
  if (!isPlain(socket)) {
    sendHead(res);
    return copied;
  }
  const body = openBody(res, socket, (promised) => promised === undefined || promised === total);
  if (body === null) return copied;
  // Nobody knows when the first chunk follows.
  body.burst.end();
  return { ...byGuest(body.guest), ...ends };
}
