/** Bodies of `fetch` responses on each runtime. @module */

/**
 * Bodies up to this many bytes are read before the response is returned.
 *
 * Reading 64 KiB costs less than any stream. On Bun the limit is 1 MiB: `Bun.serve` drops the
 * Content-Length of a stream and sends it in chunks (Bun 1.4, oven-sh/bun issue 10507), and it also
 * reads a `Bun.file` of that size into memory.
 *
 * A `Bun.file` is not usable as the body. Bun opens the name again after the head was created, when
 * it may be another file. It never closes a descriptor passed to it. It keeps the connection open
 * if the file is shorter than its Content-Length (Bun 1.4).
 */
export const WHOLE_BODY_BYTES: number = "Bun" in globalThis ? 1024 * 1024 : 64 * 1024;
