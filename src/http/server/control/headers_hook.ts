/** Loads the program's hook for header fields from its own module. @module */

import type { HeadersHook } from "../../rules/options.ts";

/**
 * Loads the module and returns its function `headers`.
 *
 * @throws {TypeError} When the module does not export it.
 */
export async function loadHook(url: string): Promise<HeadersHook> {
  const { headers } = await import(url) as { headers?: unknown };
  if (typeof headers !== "function") {
    throw new TypeError(`Cannot serve files: ${url} exports no function named "headers"`);
  }
  return (file) => {
    const made: unknown = headers(file);
    if (typeof (made as { then?: unknown } | undefined)?.then === "function") {
      throw new TypeError(`Cannot wait for a promise: "headers" of ${url} must answer at once`);
    }
    return made as ReturnType<HeadersHook>;
  };
}
