/** Closes what a test has opened: Node.js 22 has no `using`. @module */

import { afterEach } from "node:test";

const opened: { close(): void }[] = [];

/** Closes a mapping after the test, even if the test fails, unless the test has closed it. */
export function closing<T extends { close(): void }>(mapping: T): T {
  opened.push(mapping);
  return mapping;
}

afterEach(() => {
  for (let each = opened.pop(); each !== undefined; each = opened.pop()) {
    try {
      each.close();
    } catch {
      // Ignore errors about the file: the test was about them.
    }
  }
});
