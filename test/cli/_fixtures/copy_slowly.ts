/** Runs `sluice copy` slowly, and tells when it can be interrupted. @module */

import process from "node:process";

const [source = "", target = ""] = process.argv.slice(-2);
process.argv.splice(2, Infinity, "copy", source, target, "--rate", "1M");
console.log("ready");
await import("../../../src/cli/main.ts");
