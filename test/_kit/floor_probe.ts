/** Prints what works here, as one line of JSON; started by the portable tests. @module */

import { capabilities } from "../../src/capabilities.ts";
import { pipe2 } from "../../src/sys/mod.ts";

let thrown: unknown = null;
try {
  pipe2();
} catch (error) {
  const { name, code, message, cause } = error as Error & { code?: string };
  thrown = { name, code, message, hasCause: cause instanceof Error };
}
console.log(JSON.stringify({ capabilities: capabilities(), thrown }));
