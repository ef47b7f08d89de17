/** A drop-in for `fs.createReadStream` whose bytes leave by sendfile if possible. @module */

import type { ReadStream } from "node:fs";
import { builtin } from "../../builtins.ts";
import { isBytes } from "../../bytes.ts";
import {
  type Destination,
  type FileReadable,
  type GivenOptions,
  isDestination,
  restFor,
  SendfileBypass,
  type SendfileBypassEnd,
} from "./sendfile_bypass.ts";
import { filesFor } from "./stream_files.ts";
import { carriesBytes, hide, isUnencryptedSocket, type Listener, wrap } from "./listeners.ts";

/** Options of {@linkcode createReadStream}, as for `fs.createReadStream`. */
export type ReadStreamOptions = Parameters<typeof import("node:fs").createReadStream>[1];

/** Path for {@linkcode createReadStream}, as for `fs.createReadStream`. */
export type ReadStreamPath = Parameters<typeof import("node:fs").createReadStream>[0];

type Constructor<T> = new (path: ReadStreamPath, options?: ReadStreamOptions) => T;

let constructor: Constructor<ReadStream> | undefined;

/** Creates the class on first use, because that loads `fs.ReadStream`. */
function fileStream(): Constructor<ReadStream> {
  if (constructor !== undefined) return constructor;
  const Base = builtin("fs").ReadStream as unknown as Constructor<FileReadable>;

  class FileStream extends Base {
    /** Whether only ordinary reads are allowed: reads of a custom `fs` must not be replaced. */
    #ordinary: boolean;
    /** The options that define its range and its file. */
    readonly #given: GivenOptions;
    #sendfileBypass: SendfileBypass | undefined;
    /** Settles once no thread reads the file for a sendfile bypass. */
    #idle: Promise<void> | undefined;
    /** Bytes requested by the read that the sendfile bypass replaces. */
    #wanted = 0;
    /** The `data` listener through which the last `pipe()` forwards. */
    #forward: unknown;
    readonly #destinations: unknown[] = [];
    /** Whether the last `pipe()` ends its destination, the last one of these. */
    #ends = true;
    /** Whether the `data` listener of a `pipe()` to a socket is about to be added. */
    #piping = false;
    /**
     * Bytes that were pushed into the stream but not yet emitted as `data`. When `_read()` is called,
     * a chunk that is no longer in `readableLength` may still be on its way to the listeners: Node.js
     * 26.12 does so for each chunk of a `pipe()`.
     */
    #undelivered = 0;

    constructor(path: ReadStreamPath, options?: ReadStreamOptions) {
      const given = (typeof options === "object" ? options : { encoding: options }) ?? {};
      const { start, fd, flags, fs } = given;
      const own = fs === undefined && (fd ?? null) === null && (flags ?? "r") === "r";
      const files = own ? filesFor(path) : undefined;
      super(path, files === undefined ? options : { ...given, fs: files } as ReadStreamOptions);
      this.#given = { start, fd };
      this.#ordinary = Boolean(fs);
    }

    override _read(size: number): void {
      // Only a push() from outside can request another read.
      if (this.#sendfileBypass !== undefined) return;
      const destination = this.#ordinary ? undefined : this.#soleDestination();
      const rest = destination && restFor(this, destination, this.#given, this.#ends);
      if (rest === undefined) return super._read(size);
      this.#wanted = size;
      this.#sendfileBypass = new SendfileBypass(
        this,
        destination!,
        rest,
        (end) => this.#ended(end),
      );
      this.#sendfileBypass.start();
    }

    /** The only destination whose runtime may be bypassed, if no other consumer wants the bytes. */
    #soleDestination(): Destination | undefined {
      const [destination, another] = this.#destinations;
      const listeners = this.rawListeners("data");
      const alone = another === undefined && listeners.length === 1 &&
        listeners[0] === this.#forward && this.listenerCount("readable") === 0 &&
        this.readableEncoding === null && this.readableLength === 0 &&
        this.#undelivered === 0 && this.readableFlowing === true;
      return alone && isDestination(destination) ? destination : undefined;
    }

    #ended(end: SendfileBypassEnd): void {
      this.#letGo();
      if (end === "failed") this.#ordinary = true;
      if (this.destroyed) return;
      if (end === "cut") this.destroy();
      else if (end === "complete") this.push(null);
      else super._read(this.#wanted);
    }

    #letGo(): void {
      this.#idle = this.#sendfileBypass?.idle;
      this.#sendfileBypass = undefined;
    }

    /** Ends a sendfile bypass at its current byte; the read that it replaced then happens. */
    #interrupt(): void {
      if (this.#sendfileBypass === undefined) return;
      this.#sendfileBypass.stop();
      this.#letGo();
      super._read(this.#wanted);
    }

    override push(chunk: unknown, encoding?: BufferEncoding): boolean {
      this.#took(chunk);
      return super.push(chunk, encoding);
    }

    override unshift(chunk: unknown, encoding?: BufferEncoding): void {
      this.#interrupt();
      this.#took(chunk);
      // Node.js returns a boolean, which its types omit.
      return super.unshift(chunk, encoding);
    }

    #took(chunk: unknown): void {
      if (chunk === null || chunk === undefined) return;
      if (isBytes(chunk)) this.#undelivered += chunk.length;
      // Text may come out in another encoding, so its bytes cannot be counted.
      else this.#ordinary = true;
    }

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      const emitted = super.emit(event as string, ...args);
      // After all listeners: one of them may have read more.
      if (event === "data" && isBytes(args[0])) this.#undelivered -= args[0].length;
      return emitted;
    }

    override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
      this.#interrupt();
      const listeners = this.listenerCount("data");
      this.#piping = isUnencryptedSocket(to) && !this.#ordinary;
      this.#ends = options?.end !== false;
      try {
        // Before the stream starts to flow, which it may do at once.
        this.#destinations.push(to);
        super.pipe(to, options);
      } finally {
        this.#piping = false;
      }
      if (this.listenerCount("data") > listeners) this.#forward = this.rawListeners("data").at(-1);
      return to;
    }

    override unpipe(destination?: NodeJS.WritableStream): this {
      this.#interrupt();
      const index = this.#destinations.indexOf(destination);
      if (destination === undefined) this.#destinations.length = 0;
      else if (index >= 0) this.#destinations.splice(index, 1);
      return super.unpipe(destination);
    }

    override pause(): this {
      this.#interrupt();
      return super.pause();
    }

    override setEncoding(encoding: BufferEncoding): this {
      this.#interrupt();
      return super.setEncoding(encoding);
    }

    // `once` and `prependOnceListener` call these two on every runtime.
    override on(event: string | symbol, listener: Listener): this {
      if (carriesBytes(event)) this.#interrupt();
      // Node.js 26.12 writes to a socket without emitting `data` if the listener is its own.
      const added = event === "data" && this.#piping ? wrap(listener) : listener;
      return super.on(event as string, added);
    }

    override prependListener(event: string | symbol, listener: Listener): this {
      if (carriesBytes(event)) this.#interrupt();
      return super.prependListener(event as string, listener);
    }

    override removeListener(event: string | symbol, listener: Listener): this {
      if (carriesBytes(event)) this.#interrupt();
      return super.removeListener(event as string, listener);
    }

    override removeAllListeners(...event: [(string | symbol)?]): this {
      if (event.length === 0 || carriesBytes(event[0])) this.#interrupt();
      return super.removeAllListeners(...event);
    }

    override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
      this.#sendfileBypass?.stop();
      if (this.#sendfileBypass !== undefined) this.#letGo();
      if (this.#idle === undefined) return super._destroy(error, callback);
      this.#idle.then(() => super._destroy(error, callback));
    }
  }

  hide(FileStream.prototype, Base);
  return constructor = FileStream;
}

/**
 * Opens a file for reading, exactly like `fs.createReadStream`: same options, events and errors.
 *
 * If you pipe it into an HTTP response or a socket, and nothing else reads it, its bytes leave by
 * sendfile(2) and never enter JavaScript. A response needs a Content-Length equal to the bytes of
 * the stream, or none: `pipe()` then sets it for a response with status 200 whose headers are not
 * sent, unless you pass `{ end: false }`, listen to `end`, or have set Transfer-Encoding or Trailer.
 * A body with a Content-Length below 16 KiB is read and written, which costs less.
 *
 * The connection must be unencrypted and unpatched (a compressing middleware patches `write`), and the
 * runtime must expose its descriptor (Bun: before the head is sent, from 192 KiB on). If you then add a
 * second destination, a `data` or `readable` listener or an async iterator, or call `pause()` or
 * `unpipe()`, the ordinary stream continues at the current byte. A diagnostics channel reports each
 * stretch that was sent: see {@linkcode TransferEvent}.
 *
 * Two things differ, on purpose, and only if the file changes while a response is being sent. If it
 * shrinks, the connection is closed, where an ordinary stream leaves a response that never ends. If
 * it grows, the response ends at its Content-Length, where an ordinary stream without `end` writes
 * on, into the next response.
 *
 * Like an ordinary stream, it stays open when its destination closes early: destroy it then, or use
 * `stream.pipeline`, which does.
 *
 * Files up to 128 KiB are opened, read and closed on this thread, as far as the kernel has them in its
 * caches (Deno: only read). The runtime opens and closes others in its own pool of threads (four on
 * Node.js); Deno closes them on the event loop. A file system that never answers (NFS, SMB, FUSE) keeps
 * one of these threads, and no runtime ends before it answers, not even by `process.exit()`. `sendFile`
 * has threads of its own for each mount, and the process ends without them.
 *
 * @param path Path, `file:` URL or Buffer of the file.
 * @param options As for `fs.createReadStream`. With `fs`, the stream is always an ordinary one.
 * @returns A `fs.ReadStream`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` and others, as `fs.createReadStream` does.
 * @throws {RangeError} `ERR_OUT_OF_RANGE`, as `fs.createReadStream` does.
 *
 * @example Unchanged code, fewer copies
 * ```ts ignore
 * createServer((req, res) => {
 *   createReadStream("video.mp4").pipe(res);
 * });
 * ```
 */
export function createReadStream(path: ReadStreamPath, options?: ReadStreamOptions): ReadStream {
  return new (fileStream())(path, options);
}
