/** Opens targets of a transfer. @module */

import { available } from "../../sys/libc.ts";
import {
  portableSink,
  runtimeSink,
  type RuntimeTarget,
  type Sink,
} from "../engine/connection/sink.ts";
import { closeEnd, type End, isFile, moveTo, openEnd, positionOf } from "../engine/endpoint.ts";
import { noPositions } from "../engine/input.ts";

/** A descriptor. */
export interface EndOutput {
  readonly end: End;
  /** Offset of the first byte in a file; `null` without positions. */
  readonly offset: number | null;
  /** Closes our duplicate, and moves the file position past the bytes written. */
  close(bytes: number): void;
}

/** A target that the runtime writes. */
export interface SinkOutput {
  readonly end: null;
  readonly sink: Sink;
  /** `null` for a descriptor, without system calls. */
  readonly target: RuntimeTarget | null;
  close(): void;
}

/** An open target. */
export type Output = EndOutput | SinkOutput;

/**
 * Opens a target.
 *
 * @throws {SyscallError} `EBADF` for a descriptor that is not open for writing; `ESPIPE` for an offset
 * into a target without positions.
 */
export async function openOutput(
  target: RuntimeTarget | number,
  offset: number | undefined,
): Promise<Output> {
  if (typeof target !== "number") {
    if (offset !== undefined) throw noPositions("the target");
    const sink = runtimeSink(target);
    return { end: null, sink, target, close: () => sink.release?.() };
  }
  if (!available()) {
    return { end: null, sink: portableSink(target, offset), target: null, close() {} };
  }
  const end = await openEnd(target, "target");
  const positions = isFile(end) && !end.append;
  if (!positions && offset !== undefined) {
    closeEnd(end);
    throw noPositions(`fd ${target}`);
  }
  const start = positions ? offset ?? positionOf(end) : null;
  return {
    end,
    offset: start,
    close(bytes) {
      if (start !== null && offset === undefined) moveTo(end, start + bytes);
      closeEnd(end);
    },
  };
}
