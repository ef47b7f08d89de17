/** A relay in a program that runs under a small limit of descriptors: `relay_limited.ts UPSTREAM`. @module */

import process from "node:process";
import { createRelay } from "../../../src/mod.ts";

const relay = createRelay({ listen: ":0", upstream: process.argv[2]! });
await relay.listen();
console.log(relay.url);
setInterval(() => console.log(JSON.stringify(relay.stats())), 200);
