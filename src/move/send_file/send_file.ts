/** Sending a file to a connection: `sendFile`. @module */

import { isBytes, ownBytes } from "../../bytes.ts";
import { type Checked, type Names, ownOptions } from "../../checked.ts";
import type { FdLike } from "../../sys/fd.ts";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import { findConnection } from "../../runtime/find.ts";
import {
  checkFlow,
  checkRange,
  describe,
  FLOW_OPTIONS,
  RANGE_OPTIONS,
  resolveRange,
} from "../../options.ts";
import { TransferProgress } from "../engine/progress.ts";
import { sendToDescriptor } from "./to_descriptor.ts";
import { sendToResponse } from "./to_response.ts";
import { sendToSocket } from "./to_socket.ts";
import { openSource, type Source } from "../engine/file/open_file.ts";
import type { Sender, SendFileOptions, SendResult, SendTarget } from "./types.ts";

export type { BunSocket, DenoConn };

/** The last transfer on each connection: the next one waits for it. */
const busy = new WeakMap<object, Promise<unknown>>();

/**
 * Sends a file, or a part of one, to a connection by sendfile(2).
 *
 * On an HTTP response without sent headers it sets Content-Length (and Content-Type, unless there
 * is one), sends the body and ends the response. Where headers have been sent, they must carry
 * exactly this length; otherwise the bytes are copied, and `method` says so. On a socket it sends
 * and leaves the socket open. Where the runtime hides the descriptor (Bun's `node:http`, outgoing
 * connections of Deno) or encrypts, the bytes are copied through the runtime's own writes.
 *
 * Write nothing else to the connection until the promise settles. A second `sendFile` to the same
 * socket waits for the first one.
 *
 * The length is fixed when the file is opened: what it grows by later is not sent. When it shrinks
 * below what was promised, when the signal fires or when the connection fails after the first byte,
 * the connection is destroyed, for its peer could not tell the rest from the next message. (A plain
 * descriptor is left as it is.) Before the first byte nothing has happened, and another answer can
 * be sent.
 *
 * What each call did is also told on a diagnostics channel: see {@linkcode TransferEvent}.
 *
 * The event loop never waits for the disk: what is not in the page cache is read in by a thread,
 * and sent afterwards. At most 2 MiB go out before other connections get their turn. A connection to
 * this very machine that is paced (BBR, see tcp(7)) is not while it is sent to: on loopback that costs
 * a timer per 64 KiB.
 *
 * @param target Where to send: an `http.ServerResponse`, a `net.Socket`, a socket of `Bun.listen` or
 * `Bun.connect`, a `Deno.Conn`, or a descriptor open for writing, which is borrowed.
 * @param source Path, `file:` URL, or a borrowed descriptor of a file that is open for reading; its
 * file position is neither used nor moved.
 * @param options The part to send, and how to watch, slow down and stop it.
 * @returns Once the kernel has taken the last byte; the peer may not have it yet.
 *
 * @throws {TypeError} When an argument is of the wrong kind.
 * @throws {RangeError} When a number is negative, fractional or outside the file.
 * @throws {SyscallError} `ENOENT`, `EACCES`, ... when the file cannot be opened; `EISDIR`, `EINVAL`
 * when it is not a file; `EBADF` for a closed descriptor; `EPIPE`, `ECONNRESET` when the peer is gone;
 * `EIO` when the disk fails; `EAGAIN` for a file of the kernel that has nothing to read now, such as
 * `/proc/kmsg`; `EFBIG` for a descriptor of a file at its limit, in the place of which SIGXFSZ ends Deno.
 * @throws {TruncatedError} When the file became shorter.
 * @throws {AbortError} When the signal fired; its reason is the `cause`.
 * All of the last three carry `bytesMoved`.
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
  if (typeof target === "number") return await send(source, own, target, sendToDescriptor);
  const connection = findConnection(target);
  if (connection.kind === "response") {
    if (own.header !== undefined || own.trailer !== undefined) {
      throw new TypeError("Cannot send a file: a response takes no header or trailer bytes");
    }
    return await send(source, own, connection.response, sendToResponse);
  }
  return await inTurn(target, () => send(source, own, connection, sendToSocket));
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
    const progress = new TransferProgress(options, range.length);
    if (progress.aborted) throw progress.abortError();
    const method = await progress.run(() =>
      sender(target, { fd, path, remote, ...range }, options, progress)
    );
    return { bytes: progress.bytes, method, durationMs: progress.elapsedMs };
  } finally {
    close();
  }
}

/** What another machine or another program has to be asked for may never be opened. */
async function unlessAborted(opening: Promise<Source>, options: SendFileOptions): Promise<Source> {
  if (options.signal === undefined) return await opening;
  try {
    return await new TransferProgress(options, 0).unlessAborted(opening);
  } catch (error) {
    opening.then(({ close }) => close(), () => {});
    throw error;
  }
}

/** Runs `task` after whatever was started on `key` before. */
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
  header: true,
  trailer: true,
};

function checkOptions(given: SendFileOptions): Checked<SendFileOptions> {
  const action = "send a file";
  const options = ownOptions(given, OPTIONS);
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${action}: options must be an object, not ${describe(options)}`);
  }
  checkRange(options, action);
  checkFlow(options, action);
  const { stability, header, trailer } = options;
  if (stability !== undefined && stability !== "shared" && stability !== "copy") {
    throw new TypeError(
      `Cannot ${action}: stability must be "shared" or "copy", not ${describe(stability)}`,
    );
  }
  for (const [name, bytes] of Object.entries({ header, trailer })) {
    if (bytes !== undefined && !isBytes(bytes)) {
      throw new TypeError(`Cannot ${action}: ${name} must be a Uint8Array, not ${describe(bytes)}`);
    }
  }
  if (header !== undefined) options.header = ownBytes(header);
  if (trailer !== undefined) options.trailer = ownBytes(trailer);
  return options;
}
