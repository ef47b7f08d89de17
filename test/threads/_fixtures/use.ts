/** Waits for a descriptor and prints what came, or the error. @module */

import { pipe2, write } from "../../../src/sys/raw/mod.ts";
import { ready } from "../../../src/threads/poll/poll_ready.ts";

const fds = new Int32Array(2);
pipe2(fds, 0);
setTimeout(() => write(fds[1]!, new Uint8Array(1)), 50);
ready(fds[0]!, 1).then(
  (events) => console.log("ready", events),
  ({ name, message }: Error) => console.log(`${name}: ${message}`),
);
