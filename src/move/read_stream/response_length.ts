/** The length of a response into which a file is piped. @module */

import type { ReadStream } from "node:fs";
import type { ServerResponse } from "node:http";
import { contentLength, isResponse } from "../../runtime/response.ts";

/**
 * Whether an eligible response to which a stream is piped may get the length of the file.
 *
 * Others may not add to the body: a listener for `end` that was added before `pipe()` could still
 * write. `removeHeader("Content-Length")` means that the program wants none.
 */
export function mayImplyLength(res: ServerResponse, stream: ReadStream): boolean {
  const removed = (res as { _removedContLen?: boolean })._removedContLen === true;
  return res.statusCode === 200 && !res.headersSent && !removed &&
    !res.hasHeader("content-length") && !res.hasHeader("trailer") &&
    stream.bytesRead === 0 && stream.listenerCount("end") === 1;
}

/**
 * Cuts the connection if the body of a response turns out longer or shorter than announced, because
 * the program has not announced it and cannot know. Call it once the head has been sent.
 *
 * @param sent Returns the bytes of the body that do not go through `write()`.
 */
export function keepToLength(res: ServerResponse, length: number, sent: () => number): void {
  const { write, end } = res;
  let written = 0;
  const count = (chunk: unknown, encoding: unknown): void => {
    if (typeof chunk === "string") {
      written += Buffer.byteLength(
        chunk,
        typeof encoding === "string" ? encoding as "utf8" : "utf8",
      );
    } else if (ArrayBuffer.isView(chunk)) written += chunk.byteLength;
  };
  res.write = (...args: unknown[]): boolean => {
    count(args[0], args[1]);
    if (sent() + written > length) res.destroy();
    return res.destroyed ? false : write.apply(res, args as never);
  };
  res.end = (...args: unknown[]): ServerResponse => {
    count(args[0], args[1]);
    if (sent() + written !== length) res.destroy();
    return end.apply(res, args as never) as ServerResponse;
  };
}

/**
 * Bytes of a response below which the calls of a bypass cost more than to read and write them: see
 * `npm run bench -- middleware`.
 */
const LEAST = 16 * 1024;

/** Whether the target is a response so short that one read gets all of it: see {@linkcode LEAST}. */
export function isBrief(target: object, stream: ReadStream): boolean {
  const promised = isResponse(target) ? contentLength(target) : undefined;
  return promised !== undefined && promised < LEAST && promised <= stream.readableHighWaterMark;
}
