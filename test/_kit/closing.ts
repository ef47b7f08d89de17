/** Closing what a test has opened: Node.js 22 has no `using`. @module */

import { afterEach } from "node:test";

const opened: { close(): void }[] = [];

/** Closes a mapping after the test, whatever that throws, unless the test has. */
export function closing<T extends { close(): void }>(mapping: T): T {
  opened.push(mapping);
  return mapping;
}

afterEach(() => {
  for (let each = opened.pop(); each !== undefined; each = opened.pop()) {
    try {
      each.close();
    } catch {
      // What it tells of its file is what the test was about.
    }
  }
});
