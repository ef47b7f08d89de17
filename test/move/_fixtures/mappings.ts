/** Makes so many mappings that their description is longer than 16 MiB, and waits. @module */

import process, { stdin } from "node:process";
import { MapFlag, mmap, Protection } from "../../../src/sys/mod.ts";

// Of different kinds in turn, or the kernel would join neighbours. 65,530 is the usual limit.
const regions = Array.from({ length: 50_000 }, (_, i) => {
  const protection = i % 2 === 0 ? Protection.READ : Protection.READ | Protection.WRITE;
  return mmap(4096, protection, MapFlag.PRIVATE | MapFlag.ANONYMOUS, null);
});
console.log(regions.length);
stdin.on("end", () => process.exit(0)).resume();
