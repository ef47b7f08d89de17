/** Everything that moves bytes, with any number of descriptors that is too low. */

import { describe } from "node:test";
import { testStarved } from "../faults/_faults.ts";

describe("without descriptors", () => {
  const DEEDS = ["socket", "descriptor", "pipe", "through", "fileToFile", "copy", "copyRange"];
  for (const deed of [...DEEDS, "copyDirect", "ring", "threads", "map", "stream"]) {
    testStarved(deed, 12, /^(EMFILE|EINVAL|=)/);
  }
  for (const deed of ["server", "relay", "broadcast"]) testStarved(deed, 24, /^(EMFILE|=)/);
});
