/** How the bodies of `fetch` responses are made on each runtime. @module */

/**
 * Bytes up to which the body of a response is read before the response is returned.
 *
 * No stream costs less than reading 64 KiB. On Bun it is 1 MiB: `Bun.serve` drops the Content-Length of
 * a stream and sends it in chunks (Bun 1.4, oven-sh/bun issue 10507), and reads a `Bun.file` of that size
 * into memory as well.
 *
 * A `Bun.file` is no body to use: Bun opens the name again after the head was made, which may be
 * another file by then, closes no descriptor that it is given, and keeps the connection open when the
 * file is shorter than its Content-Length (Bun 1.4).
 */
export const WHOLE_BODY_BYTES: number = "Bun" in globalThis ? 1024 * 1024 : 64 * 1024;
