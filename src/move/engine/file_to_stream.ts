/** Transfers from a file to a pipe, a socket or a device. @module */

import { EAGAIN } from "../../errno.ts";
import { UnsupportedError } from "../../errors.ts";
import { descriptorConnection } from "../../runtime/descriptor.ts";
import type { RuntimeConnection } from "../../runtime/types.ts";
import { CorkGuard } from "../../runtime/tcp.ts";
import { FileType, sameFile } from "../../sys/file/statx.ts";
import { sendfileStep } from "./step/sendfile.ts";
import { fileToPipeStep, spliceStep } from "./step/splice.ts";
import { type End, goBuffered, isRemote, verify } from "./endpoint.ts";
import type { TransferProgress } from "./progress.ts";
import type { Pipe } from "./pipe.ts";
import { givePipe, pipeShortage, takePipe } from "./pipe_pool.ts";
import { type Move, pumpFile } from "./sendfile_loop.ts";
import { pumpStream } from "./splice_loop.ts";

/** From a file to a pipe, a socket or a device. */
export interface FileToStreamJob {
  readonly source: End;
  readonly target: End;
  readonly start: number;
  readonly length: number;
  readonly method: "auto" | "sendfile" | "splice" | "copy";
  readonly chunkSize: number | undefined;
  readonly progress: TransferProgress;
}

/** Sends the range by the call that suits; copies the rest if the call is refused. */
export async function fileToStream(job: FileToStreamJob): Promise<void> {
  const { source, target, progress } = job;
  goBuffered(source, "source");
  const method = job.method === "auto" ? callFor(source, target) : job.method;
  let { start } = job;
  if (method !== "copy") {
    start = await sendBy(method, job);
    if (start === job.start + job.length) return;
  }
  const length = job.start + job.length - start;
  await pumpStream({ ...job, start, length, targetOffset: null, method: "copy" });
  if (progress.bytes < job.length) {
    throw progress.truncated(`transfer ${progress.nameOf(source.given)} to fd ${target.given}`);
  }
}

/** Copies if the call could block: reads and writes can be told not to wait. */
function callFor(source: End, { type, blocking }: End): "sendfile" | "splice" | "copy" {
  if (isRemote(source)) return "copy";
  if (type === FileType.FIFO) return "splice";
  return blocking ? "copy" : "sendfile";
}

/** Returns the first byte that was not sent: the end, unless a copy may continue. */
async function sendBy(method: "sendfile" | "splice", job: FileToStreamJob): Promise<number> {
  const { source, target, start, length, chunkSize: window, progress } = job;
  const pipe = method === "splice" && target.type !== FileType.FIFO ? takePipe() : null;
  const move = moveBy(method, target, pipe);
  const connection = endConnection(target);
  const cork = new CorkGuard(connection);
  const file = source.fd;
  const what = { file, start, length, connection, progress, cork, window, move, method };
  try {
    return await pumpFile(what, job.method === "auto");
  } catch (error) {
    verify(target, progress.bytes);
    throw error;
  } finally {
    cork.end();
    if (pipe !== null) givePipe(pipe);
  }
}

function moveBy(method: "sendfile" | "splice", target: End, pipe: Pipe | null): Move {
  const toPipe = target.type === FileType.FIFO;
  // Only splice(2) on a pipe has a flag against waiting.
  if (target.blocking && !(toPipe && method === "splice")) {
    throw new UnsupportedError({
      action: `${method} to fd ${target.given}`,
      reason: 'it would wait in the kernel; set O_NONBLOCK on it, or use method "auto"',
    });
  }
  if (method === "sendfile") return sendfileStep;
  if (toPipe) return fileToPipeStep;
  if (pipe === null) {
    throw pipeShortage(`splice to fd ${target.given}`);
  }
  return through(pipe);
}

/**
 * A step through a pipe. If the target is full, the bytes left in the pipe go first next time: the
 * next call asks for the same offset.
 */
function through(pipe: Pipe): Move {
  let held = 0;
  return (out, file, offset, count) => {
    if (held === 0) {
      const filled = spliceStep(file, offset, pipe.writeFd, null, count);
      if (filled <= 0) return filled;
      held = filled;
    }
    const moved = spliceStep(pipe.readFd, null, out, null, held);
    if (moved === 0) return EAGAIN;
    if (moved > 0) held -= moved;
    return moved;
  };
}

/**
 * Uses the caller's number, so that the caller can end a wait by closing it. No other code runs
 * between the check that it is still the same file and the call.
 */
export function endConnection({ given, fd }: End): RuntimeConnection {
  return descriptorConnection(() => sameFile(given, fd) ? given : -1);
}
