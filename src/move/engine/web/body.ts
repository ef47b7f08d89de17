/** Bytes of a `Blob`, a `Request` or a `Response`. @module */

import { TruncatedError } from "../../../errors.ts";
import { describe } from "../../../options.ts";
import { type ByteReader, type OpenReader, webReader } from "./byte_reader.ts";
import { isWebReadable, type WebBlob, type WebBody, type WebReadable } from "./shapes.ts";

/**
 * Reads the body of a `Request` or a `Response`. It is cancelled if its reader stops before the end,
 * because nothing else can read the rest.
 *
 * @throws {TypeError} When other code has read or locked it.
 */
export function bodyReader(owner: WebBody): ByteReader {
  const { body, bodyUsed } = owner;
  if (bodyUsed) throw new TypeError(`Cannot read ${describe(owner)}: its body has been read`);
  if (!isWebReadable(body)) return { next: () => Promise.resolve(null), giveBack() {}, end() {} };
  if (body.locked) throw new TypeError(`Cannot read ${describe(owner)}: its body is locked`);
  return webReader(body, { length: Infinity, owned: true });
}

/**
 * Opens a `Blob`; a file behind it may turn out shorter than its size.
 *
 * The file is not sent by its path. Only `Bun.file()` tells one, as a name that the program can
 * change, and that parts of the file have, too.
 */
export function blobInput(
  blob: WebBlob,
): { open: OpenReader; size: number | undefined; close(): void } {
  // Before the size: Bun reads nothing from a file of size 0 after that, whatever the file has.
  const whole = blob.stream() as WebReadable;
  const { size } = blob;
  return {
    open: (start, length) => {
      const stream = start === 0 ? whole : blob.slice(start).stream() as WebReadable;
      return blobReader(stream, length, `read ${describe(blob)}`);
    },
    // Files whose content the kernel generates have the size 0, too.
    size: Number.isSafeInteger(size) && size > 0 ? size : undefined,
    close() {
      if (!whole.locked) whole.cancel().catch(() => {});
    },
  };
}

function blobReader(stream: WebReadable, length: number, action: string): ByteReader {
  const reader = webReader(stream, { length, owned: true });
  let bytesMoved = 0;
  return {
    ...reader,
    async next(most) {
      const bytes = await reader.next(most);
      if (bytes !== null) return bytesMoved += bytes.length, bytes;
      if (bytesMoved >= length || length === Infinity) return null;
      throw new TruncatedError({ action, bytesMoved, bytesExpected: length });
    },
  };
}
