/** Reads a dropped file into the page cache, and prints what is resident then. @module */

import { bringIn } from "../../../src/page_cache/prefetch.ts";
import { resident, WINDOW } from "../../../src/page_cache/resident.ts";
import { assertWhenDropped } from "../../_kit/page_cache.ts";
import { pattern, withFileAsync } from "../../_kit/temp.ts";

await withFileAsync(pattern(WINDOW), async (fd) => {
  await assertWhenDropped(fd, 0, () => resident(fd, 0, WINDOW));
  await bringIn(fd, 0, WINDOW);
  console.log(resident(fd, 0, WINDOW));
});
