/** Starts a Worker early, then serves a file with N threads, or ends after N milliseconds. @module */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { startEarly } from "../../../src/threads/early_worker.ts";

const [how, number, folder] = process.argv.slice(2);
startEarly("http/server/thread/server_job", "sluice server");
if (how === "serve") {
  const { createFileServer } = await import("../../../src/http/mod.ts");
  writeFileSync(join(folder!, "file"), "content");
  const server = createFileServer({ root: folder!, threads: Number(number) });
  await server.listen();
  const response = await fetch(new URL("file", server.url));
  console.log(response.status, await response.text());
  await server.close();
} else {
  const left = performance.now() + Number(number);
  // A blocked event loop, so that messages of the Worker come after the end.
  if (how === "busy") { while (performance.now() < left); }
  else await delay(Number(number));
  if (how === "none") console.log(readFileSync("/proc/self/maps", "latin1").includes("koffi.node"));
  if (how === "throw") throw new RangeError("thrown on purpose");
  if (how !== "none") process.exit(7);
}
