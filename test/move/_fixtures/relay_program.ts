/** A relay in a program that has nothing else to do, and ends it as the argument says. @module */

import process from "node:process";
import { createRelay } from "../../../src/mod.ts";

const [how] = process.argv.slice(2);
const relay = createRelay({ listen: ":0", upstream: ":1", threads: 2 });
if (how === "unref before") relay.unref();
await relay.listen();
console.log("listening");
if (how === "unref") relay.unref();
if (how === "close") await relay.close();
if (how === "dispose") await relay[Symbol.asyncDispose]();
if (how === "exit") process.exit(3);
if (how === "throw") throw new RangeError("thrown on purpose");
