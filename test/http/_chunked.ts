/** Bodies in chunks. @module */

/** Chunks of every length, as few clients send them. */
export function chunked(body: string): string {
  let text = "";
  for (let at = 0, size = 1; at < body.length; at += size, size = size * 3 % 70_001) {
    const piece = body.slice(at, at + size);
    text += `${piece.length.toString(16)};x="y"\r\n${piece}\r\n`;
  }
  return `${text}0\r\nX-Trailer: 1\r\n\r\n`;
}
