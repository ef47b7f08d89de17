/** Options and results of `sendFile`. @module */

import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { BunSocket } from "../../runtime/bun.ts";
import type { DenoConn } from "../../runtime/deno.ts";
import type { FlowOptions, RangeOptions, TransferResult } from "../../options.ts";
import type { TransferProgress } from "../engine/progress.ts";
import type { Move } from "../engine/sendfile_loop.ts";

/** Options of `sendFile()`. */
export interface SendFileOptions extends RangeOptions, FlowOptions {
  /**
   * Which bytes the peer gets if the file is overwritten in place during the transfer.
   *
   * `"shared"`: the kernel sends the file's own pages, so the peer may get a mix of old and new
   * bytes, as with nginx, Java and Go. `"copy"`: each byte stays as it was when it was read; the
   * bytes then pass through JavaScript.
   *
   * @default {"shared"}
   */
  stability?: "shared" | "copy" | undefined;
  /**
   * Folder that `source`, a path relative to it, cannot leave. The kernel resolves the path by
   * openat2(2), so links and concurrent renames cannot leave it either. A path that tries to fails
   * with `EXDEV`.
   */
  root?: string | undefined;
  /**
   * Experimental: whether the kernel may encrypt responses of this `node:https` server, so that the
   * file leaves by sendfile(2). Everything else is copied, as without this option.
   *
   * It needs Node.js, a kernel with kernel TLS, TLS 1.3 and AES-GCM. The first call prepares the
   * server; connections that are open by then are copied. From then on, the kernel encrypts all that
   * the server sends on new connections, other responses too. It relies on undocumented parts of
   * Node.js, which hands each connection's traffic secret to sluice; sluice erases it once the kernel
   * has it.
   *
   * @default {false}
   */
  kernelTls?: boolean | undefined;
  /**
   * Bytes to send before the file, in the same cork. Not for a response, which has its own headers.
   */
  header?: Uint8Array | undefined;
  /** Bytes to send after the file, in the same cork. Not for a response. */
  trailer?: Uint8Array | undefined;
  /**
   * Whether to go on with what is appended to the file, as `tail -F` does: see `follow` of
   * {@linkcode TransferOptions}, not with `root`, `kernelTls`, `header` and `trailer`. A response then
   * has no Content-Length. It is sent in HTTP chunks, which are copied, unless it ends with its
   * connection: see {@linkcode broadcast}.
   *
   * @default {false}
   */
  follow?: boolean | undefined;
}

/** How bytes were sent: see {@linkcode SendResult.method}. */
export type SendMethod = "sendfile" | "ktls-sendfile" | "splice" | "copy" | "none";

/** What `sendFile()` did. `bytes` counts the file alone, not header and trailer. */
export interface SendResult extends TransferResult {
  /**
   * `"sendfile"`: the bytes never entered JavaScript. `"ktls-sendfile"`: the same, and the kernel
   * encrypted them. `"splice"`: the same as `"sendfile"`, into a pipe. `"copy"`:
   * they passed through JavaScript, because the target hides its descriptor, encrypts, or cannot
   * take a file. `"none"`: the range was empty.
   */
  method: SendMethod;
}

/** A target of `sendFile()`. */
export type SendTarget =
  | ServerResponse
  | Http2ServerResponse
  | Socket
  | BunSocket
  | DenoConn
  | number;

/** Sends an open file to one kind of target. */
export type Sender<T> = (
  target: T,
  file: FileRange & { readonly path: string | undefined },
  options: SendFileOptions,
  progress: TransferProgress,
) => Promise<void>;

/** The part of a file to send. */
export interface FileRange {
  readonly fd: number;
  readonly start: number;
  readonly length: number;
  /** Whether another machine or process holds the file; looked up if missing. */
  readonly remote?: boolean | undefined;
}

/** A system call to use instead of sendfile(2), and its name in the result. */
export interface Call {
  readonly move: Move;
  readonly method: SendMethod;
}
