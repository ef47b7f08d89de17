/** Everything that moves bytes, with any number of descriptors that is too low. */

import { describe } from "node:test";
import { RUNTIME } from "../_kit/targets.ts";
import { testStarved } from "../faults/_faults.ts";

/** Bun: "ran out of file descriptors (ProcessFdQuotaExceeded)"; a thread of Deno panics. */
const DIES = RUNTIME !== "node" &&
  "Bun and Deno end the process when a Worker that starts finds no descriptor";

describe("without descriptors", () => {
  const DEEDS = ["socket", "descriptor", "pipe", "through", "fileToFile", "copy", "copyRange"];
  for (const deed of [...DEEDS, "copyDirect", "ring", "threads", "map", "stream"]) {
    testStarved(deed, 12, /^(EMFILE|=)/);
  }
  testStarved("broadcast", 24, /^(EMFILE|=)/);
  for (const deed of ["server", "relay"]) {
    testStarved(deed, 24, /^(EMFILE|ERR_SLUICE_UNSUPPORTED|=)/, DIES);
  }
});
