/** Runs `sluice copy` slowly, and says when Ctrl-C interrupts it cleanly. @module */

import process from "node:process";

const [source = "", target = ""] = process.argv.slice(-2);
process.argv.splice(2, Infinity, "copy", source, target, "--rate", "1M");
const timer = setInterval(() => {
  // Without a listener, SIGINT would end the process.
  if (process.listenerCount("SIGINT") === 0) return;
  clearInterval(timer);
  console.log("ready");
}, 10);
await import("../../../src/cli/main.ts");
