/** Where a target's bytes go: a descriptor, a connection, or the runtime's writes. @module */

import type { ServerResponse } from "node:http";
import { connectionOf } from "../../runtime/find.ts";
import { cutOff, sendHead, socketOf } from "../../runtime/response.ts";
import { isPlain } from "../../runtime/socket.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { available } from "../../sys/libc.ts";
import * as raw from "../../sys/raw/mod.ts";
import { FileType } from "../../sys/file/statx.ts";
import { claimBody } from "../engine/connection/claim.ts";
import { connectionClosed } from "../engine/connection/closed.ts";
import {
  connected,
  portableSink,
  runtimeSink,
  type RuntimeTarget,
  type Sink,
  streamSink,
} from "../engine/connection/sink.ts";
import { closeEnd, type End, goBuffered, isFile, openEnd } from "../engine/endpoint.ts";
import { PromisedLength, promisedSink } from "../engine/connection/promised.ts";
import { openBody, openOnBun } from "../engine/connection/response_body.ts";
import { endConnection } from "../engine/file_to_stream.ts";
import { writeNow } from "../engine/staging.ts";
import { sendStep } from "../engine/step/memory.ts";

/** Exactly one of `connection`, `file` and `sink` takes the bytes. */
export interface TargetWriter {
  /** Written through its non-blocking descriptor. */
  readonly connection: RuntimeConnection | null;
  /** Written by the thread, at its file position. */
  readonly file: End | null;
  /** Written by the runtime. */
  readonly sink: Sink | null;
  /** Whether it can take pages. */
  readonly splices: boolean;
  /** Whether it is a pipe. */
  readonly toPipe: boolean;
  /** Writes what there is room for, without waiting: a count, or `-errno`. */
  write(fd: number, bytes: Uint8Array): number;
  /**
   * The stream is complete, after so many bytes.
   *
   * @throws {SyscallError} `EMSGSIZE` when a response has promised another length.
   */
  finish(bytes: number): void;
  /** The stream was aborted; the peer must not mistake the data for complete. */
  cut(): void;
  /** Ends the target visibly for its peer. */
  disconnect(): void;
  /** Releases the target, which its owner keeps. */
  release(): void;
}

const SHUT_RDWR = 2;

/**
 * Opens an identified target.
 *
 * @param total Bytes to send, or `Infinity`: a response may have promised a length.
 *
 * @throws {SyscallError} `EBADF` when a descriptor is not open for writing; `EPIPE` when a
 * connection is already closed; `EBUSY` when another operation is sending to a response.
 */
export async function openTargetWriter(
  target: RuntimeTarget | number,
  total: number,
): Promise<TargetWriter> {
  if (typeof target === "number") return available() ? byDescriptor(target) : onFloor(target);
  if (target.kind === "response") return await claimed(target.response, total);
  if (target.kind === "writable" || target.kind === "web") return bySink(runtimeSink(target));
  await connected(target);
  const connection = available() ? connectionOf(target) : null;
  return connection === null ? bySink(runtimeSink(target)) : byConnection(connection);
}

const nothing = {
  connection: null,
  file: null,
  sink: null,
  splices: false,
  toPipe: false,
  write: (fd: number, bytes: Uint8Array) => sendStep(fd, bytes),
  finish() {},
  cut() {},
  disconnect() {},
  release() {},
};

function bySink(sink: Sink): TargetWriter {
  const { release = nothing.release } = sink;
  return { ...nothing, sink, disconnect: () => sink.destroy(), release };
}

function byConnection(connection: RuntimeConnection): TargetWriter {
  return {
    ...nothing,
    connection,
    splices: true,
    disconnect: () => connection.destroy(),
    release: () => connection.release(),
  };
}

function onFloor(fd: number): TargetWriter {
  return bySink(portableSink(fd, undefined));
}

async function byDescriptor(fd: number): Promise<TargetWriter> {
  const end = await openEnd(fd, "target");
  const release = () => closeEnd(end);
  if (isFile(end)) {
    goBuffered(end, "target");
    return { ...nothing, file: end, splices: true, release };
  }
  const { type, blocking } = end;
  return {
    ...nothing,
    connection: endConnection(end),
    // For a pipe, a flag of the call is enough. Other blocking descriptors get bytes, because there
    // are non-blocking calls for them.
    splices: type === FileType.FIFO || (type === FileType.SOCKET && !blocking),
    toPipe: type === FileType.FIFO,
    write: (_, bytes) => writeNow(end, bytes),
    // Not closed, because the owner keeps the descriptor; but the peer sees an end.
    disconnect: () => void raw.shutdown(end.fd, SHUT_RDWR),
    release,
  };
}

/** A response, from which other operations are kept until it is released. */
async function claimed(res: ServerResponse, total: number): Promise<TargetWriter> {
  const giveBack = claimBody(res);
  try {
    const writer = await toResponse(res, total);
    const release = () => {
      writer.release();
      giveBack();
    };
    return { ...writer, release };
  } catch (error) {
    giveBack();
    throw error;
  }
}

/**
 * A response that ends by its length, or with the connection, is sent through its descriptor; one
 * in HTTP chunks, or one that `node:http` does not send unchanged, by the runtime.
 */
async function toResponse(res: ServerResponse, total: number): Promise<TargetWriter> {
  if (res.writableEnded || res.destroyed) throw connectionClosed({ syscall: "write" });
  const promise = new PromisedLength(res);
  const disconnect = () => cutOff(res);
  const ends = { cut: () => res.headersSent ? disconnect() : undefined, disconnect };
  const copied: TargetWriter = {
    ...nothing,
    sink: promisedSink(streamSink(res), promise),
    ...ends,
    finish() {
      promise.end();
      res.end();
    },
  };
  if (!available()) return copied;
  const socket = await socketOf(res);
  if (socket === null || res.destroyed) throw connectionClosed({ syscall: "write" });
  const suits = (promised: number | undefined) => promised === undefined || promised === total;
  const body = isPlain(socket) ? openBody(res, socket, suits) : await openOnBun(res, total);
  if (body === null) {
    sendHead(res);
    return copied;
  }
  // The first chunk may follow much later.
  body.cork.end();
  return {
    ...byConnection(body.connection),
    ...ends,
    finish(bytes) {
      promise.add(bytes);
      promise.end();
      res.end();
    },
  };
}
