/**
 * One fault in the one step, as everybody sees it who moves bytes. What passes, such as a kernel
 * without memory, is among the long tests.
 */

import { describe } from "node:test";
import { type Fault, testFault } from "./_faults.ts";

/** Deeds by the step that they are made of, with what comes of `EIO` in the middle. */
const SENDFILE: Record<string, Fault["ends"]> = {
  // One transfer is lost, and says how far it came; those after it are none the worse.
  socket: ["EIO", "=sendfile", "=sendfile"],
  response: { some: "EIO" },
  descriptor: { some: "EIO" },
  // Ordinary reads go on.
  stream: "done",
  broadcast: { some: "EIO" },
  transferred: { some: "EIO" },
  copySendfile: { some: "EIO" },
  // One download is lost, and no connection beside it.
  server: Array<string>(3).fill("=cut 200 200 200 200 200"),
};
const SPLICE: Record<string, Fault["ends"]> = {
  pipe: { some: "EIO" },
  // Another method continues where splice(2) stopped.
  through: "done",
  fileToFile: "done",
  // The thread has moved some bytes before, and asks once more.
  copySplice: "done",
  broadcastPipe: { some: "EIO" },
  relay: Array<string>(3).fill("=cut all all all all all"),
  proxy: Array<string>(3).fill("=cut 200 200 200 200 200"),
};

for (const [call, deeds] of Object.entries({ sendfile: SENDFILE, splice: SPLICE })) {
  describe(`a fault in the step of ${call}(2)`, () => {
    for (const [deed, ends] of Object.entries(deeds)) {
      testFault({ deed, inject: `${call}:error=EIO:when=3`, ends });
    }
  });
}
