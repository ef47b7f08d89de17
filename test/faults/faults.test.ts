/** A few faults of the kernel during an operation; test/stress has all of them. */

import { describe } from "node:test";
import { type Fault, testFault, testStarved } from "./_faults.ts";

const FAULTS: readonly Fault[] = [
  // The file exists by then.
  { deed: "copyInPlace", inject: "fchmod:error=EIO:when=1", ends: { some: "EIO" } },
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
