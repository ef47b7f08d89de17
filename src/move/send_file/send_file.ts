/** Sends a file to a connection: `sendFile`. @module */

import { isBytes, ownBytes } from "../../bytes.ts";
import { type Checked, type Names, ownOptions } from "../../checked.ts";
import type { FdLike } from "../../sys/fd.ts";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import { type Connection, findConnection } from "../../runtime/find.ts";
import {
  checkFlow,
  checkFollow,
  checkObject,
  checkRange,
  describe,
  FLOW_OPTIONS,
  mustBe,
  RANGE_OPTIONS,
  resolveRange,
} from "../../options.ts";
import { follow } from "../follow/follow.ts";
import { withBody } from "../engine/connection/claim.ts";
import { TransferProgress } from "../engine/progress.ts";
import { sendToDescriptor } from "./to_descriptor.ts";
import { sendToResponse } from "./to_response.ts";
import { sendToSocket } from "./to_socket.ts";
import { openSource, type Source } from "../engine/file/open_file.ts";
import type { Sender, SendFileOptions, SendMethod, SendResult, SendTarget } from "./types.ts";

export type { BunSocket, DenoConn };

/** The last transfer on each connection; the next one waits for it. */
const busy = new WeakMap<object, Promise<unknown>>();

/**
 * Sends a file, or a part of one, to a connection by sendfile(2).
 *
 * On an HTTP response whose headers are not sent, it sets Content-Length (unless you set
 * Transfer-Encoding or Trailer), and Content-Type unless you did, sends the body and ends the
 * response. If the headers are sent and carry no Content-Length, the bytes are copied, and `method`
 * says so; another Content-Length than this length is refused. On a socket, it sends the file
 * and leaves the socket open. If the runtime hides the descriptor (outgoing connections of Deno) or
 * encrypts, it copies through the runtime's own writes. So it does in Bun's `node:http` below 192 KiB,
 * where finding the descriptor costs more.
 *
 * Write nothing else to the connection until the promise settles. A second `sendFile` to the same
 * socket waits for the first one.
 *
 * The length is fixed when the file is opened: bytes appended later are not sent. If the file
 * shrinks below that length, the signal fires, or the connection fails after the first byte, the
 * connection is destroyed, because the peer could not tell the rest from the next message. (A plain
 * descriptor is left as it is.) If it fails before the first byte, nothing was sent, and you can
 * send another response.
 *
 * A diagnostics channel also reports each call: see {@linkcode TransferEvent}.
 *
 * The event loop never waits for the disk: a thread reads missing pages into the page cache before
 * they are sent. After at most 2 MiB, other connections get their turn. If the connection is paced
 * (BBR, see tcp(7)) and its peer is on this machine, pacing is off during the transfer: on loopback
 * it costs a timer per 64 KiB.
 *
 * @param target An `http.ServerResponse`, a `net.Socket`, a socket of `Bun.listen` or
 * `Bun.connect`, a `Deno.Conn`, or a borrowed descriptor open for writing.
 * @param source Path, `file:` URL, or a borrowed descriptor of a file open for reading, whose file
 * position is neither used nor moved.
 * @param options The part to send, progress, rate limit and signal.
 * @returns Once the kernel has taken the last byte; the peer may not have received it yet.
 *
 * @throws {TypeError} When an argument has the wrong type.
 * @throws {RangeError} When a number is negative, fractional or outside the file.
 * @throws {SyscallError} `ENOENT`, `EACCES` and others when the file cannot be opened; `EISDIR`,
 * `EINVAL` when it is not a file; `EBADF` for a closed descriptor; `EPIPE`, `ECONNRESET` when the
 * peer has closed; `EIO` when the disk fails; `EAGAIN` for a file of the kernel that has nothing to
 * read now, such as `/proc/kmsg`; `EFBIG` for a descriptor of a file at its size limit (on Deno,
 * SIGXFSZ ends the process instead); `EMSGSIZE` when the Content-Length that a response has sent
 * differs from the length of the file; `EBUSY` when another operation is sending to the response.
 * @throws {TruncatedError} When the file was truncated.
 * @throws {AbortError} When the signal fired; its reason is the `cause`. The last three errors
 * carry `bytesMoved`.
 *
 * @example Serve one file
 * ```ts ignore
 * createServer((req, res) => {
 *   sendFile(res, "video.mp4").catch((error) => console.error(error.message));
 * });
 * ```
 *
 * @see {@link https://man7.org/linux/man-pages/man2/sendfile.2.html}
 */
export async function sendFile(
  target: SendTarget,
  source: string | URL | FdLike,
  options: SendFileOptions = {},
): Promise<SendResult> {
  const own = checkOptions(options);
  if (own.follow === true) return await sendGrowing(target, source, own);
  if (typeof target === "number") return await send(source, own, target, sendToDescriptor);
  const connection = findConnection(target);
  if (connection.kind === "response") {
    if (own.header !== undefined || own.trailer !== undefined) {
      throw new TypeError("Cannot send a file: a response takes no header or trailer bytes");
    }
    const { response } = connection;
    return await withBody(response, () => send(source, own, response, sendToResponse));
  }
  return await inTurn(target, () => send(source, own, connection, sendToSocket));
}

async function sendGrowing(
  target: SendTarget,
  source: string | URL | FdLike,
  options: Checked<SendFileOptions>,
): Promise<SendResult> {
  const to = typeof target === "number" ? target : findConnection(target);
  const key = typeof to === "number" || to.kind === "response" ? null : target as object;
  const task = () => follow(source, to, options, "sendFile");
  const { bytes, method, durationMs } = await (key ? inTurn(key, task) : task());
  return { bytes, method: method as SendMethod, durationMs };
}

async function send<T>(
  source: string | URL | FdLike,
  options: Checked<SendFileOptions>,
  target: T,
  sender: Sender<T>,
): Promise<SendResult> {
  const opening = openSource(source, options.root, options.signal);
  const { fd, size, path, remote, close } = await unlessAborted(opening, options);
  try {
    const range = resolveRange(options, size, "send a file");
    const progress = new TransferProgress(options, range.length, "sendFile", path);
    if (progress.aborted) throw progress.abortError();
    await progress.run(() => sender(target, { fd, path, remote, ...range }, options, progress));
    const method = progress.method as SendMethod;
    return { bytes: progress.bytes, method, durationMs: progress.elapsedMs };
  } finally {
    close();
  }
}

/** Opening may hang if another machine or program must answer, so the signal also ends the wait. */
async function unlessAborted(opening: Promise<Source>, options: SendFileOptions): Promise<Source> {
  if (options.signal === undefined) return await opening;
  try {
    return await new TransferProgress(options, 0).unlessAborted(opening);
  } catch (error) {
    opening.then(({ close }) => close(), () => {});
    throw error;
  }
}

/** Sends an open file to a connection, after all files sent to it earlier. */
export function sendOpenFile(
  connection: Connection,
  file: Parameters<Sender<Connection>>[1],
  options: SendFileOptions,
  progress: TransferProgress,
): Promise<void> {
  if (connection.kind === "response") {
    return sendToResponse(connection.response, file, options, progress);
  }
  const key = connection.kind === "deno" ? connection.conn : connection.socket;
  return inTurn(key, () => sendToSocket(connection, file, options, progress));
}

/** Runs `task` after all tasks started earlier on `key`. */
function inTurn<T>(key: object, task: () => Promise<T>): Promise<T> {
  const before = busy.get(key);
  const result = before === undefined ? task() : before.then(task, task);
  busy.set(key, result);
  const forget = () => {
    if (busy.get(key) === result) busy.delete(key);
  };
  result.then(forget, forget);
  return result;
}

const OPTIONS: Names<SendFileOptions> = {
  ...RANGE_OPTIONS,
  ...FLOW_OPTIONS,
  root: true,
  stability: true,
  kernelTls: true,
  header: true,
  trailer: true,
  follow: true,
};

function checkOptions(given: SendFileOptions): Checked<SendFileOptions> {
  const action = "send a file";
  const options = ownOptions(given, OPTIONS);
  checkObject(options, action);
  checkRange(options, action);
  checkFlow(options, action);
  checkFollow(options, action);
  const { stability, kernelTls, header, trailer } = options;
  const known = stability === undefined || stability === "shared" || stability === "copy";
  mustBe(known, action, "stability", '"shared" or "copy"', stability);
  mustBe(typeof (kernelTls ?? false) === "boolean", action, "kernelTls", "a boolean", kernelTls);
  for (const [name, bytes] of Object.entries({ header, trailer })) {
    if (bytes !== undefined && !isBytes(bytes)) {
      throw new TypeError(`Cannot ${action}: ${name} must be a Uint8Array, not ${describe(bytes)}`);
    }
  }
  if (header !== undefined) options.header = ownBytes(header);
  if (trailer !== undefined) options.trailer = ownBytes(trailer);
  return options;
}
