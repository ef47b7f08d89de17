/** A few faults of the kernel during an operation; test/stress has all of them. */

import { describe } from "node:test";
import { type Fault, testFault, testStarved } from "./_faults.ts";

const FAULTS: readonly Fault[] = [
  // One transfer is lost, and says how far it came; those after it are none the worse.
  { deed: "socket", inject: "sendfile:error=EIO:when=3", ends: ["EIO", "=sendfile", "=sendfile"] },
  // So is one download, and no connection beside it.
  {
    deed: "server",
    inject: "sendfile:error=EIO:when=3",
    ends: Array<string>(3).fill("=cut 200 200 200 200 200"),
  },
  {
    deed: "server",
    inject: "accept4:error=EACCES:when=2+3",
    ends: Array<string>(3).fill("=200 200 200 200 200 200"),
  },
];

describe("what the kernel refuses", () => FAULTS.forEach(testFault));

describe("without descriptors", () => {
  testStarved("copyDirect", 8, /^(EMFILE|=)/);
});
