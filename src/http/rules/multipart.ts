/** Several ranges in one body: RFC 9110, section 14.6. @module */

import type { Representation } from "./representation.ts";
import type { FilePart, Part, Plan } from "./types.ts";

const encoder = new TextEncoder();

/** Plans a `multipart/byteranges` body of two or more ranges, in the requested order. */
export function multipart(ranges: readonly FilePart[], representation: Representation): Plan {
  const { whole, size, type } = representation;
  const boundary = randomBoundary();
  const parts: Part[] = [];
  let total = 0;
  const add = (part: Part) => {
    parts.push(part);
    total += part.length;
  };
  let separator = `--${boundary}\r\n`;
  for (const part of ranges) {
    const { start, length } = part;
    add(encoder.encode(
      `${separator}Content-Type: ${type}\r\n` +
        `Content-Range: bytes ${start}-${start + length - 1}/${size}\r\n\r\n`,
    ));
    add(part);
    separator = `\r\n--${boundary}\r\n`;
  }
  add(encoder.encode(`\r\n--${boundary}--\r\n`));
  const headers = {
    ...whole.headers,
    "Content-Type": `multipart/byteranges; boundary=${boundary}`,
    "Content-Length": String(total),
  };
  return { status: 206, headers, parts, length: total };
}

/** Returns 96 random bits, so that no one can craft a file that contains the boundary. */
function randomBoundary(): string {
  const words = crypto.getRandomValues(new Uint32Array(3));
  return Array.from(words, (word) => word.toString(36).padStart(7, "0")).join("");
}
