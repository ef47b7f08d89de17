/** Bodies of responses that the runtime reads from a file itself. @module */

interface Globals {
  readonly Bun?: { file(path: string, options?: { type: string }): Blob };
}

const { Bun } = globalThis as Globals;

/**
 * A part of the file of this path as a body that leaves by the runtime's own sendfile(2); `undefined`
 * where the runtime has none. It opens the path once more, when it sends.
 */
export function fileBody(
  path: string,
  { start, length }: { start: number; length: number },
  type: string,
): Blob | undefined {
  return Bun?.file(path, { type }).slice(start, start + length, type);
}
