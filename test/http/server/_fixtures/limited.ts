/** A server beside a program that runs under a small limit of descriptors: `limited.ts FOLDER`. @module */

import process from "node:process";
import { createFileServer } from "../../../../src/http/mod.ts";

const server = createFileServer({ root: process.argv[2]!, precompressed: true });
await server.listen();
console.log(server.url);
setInterval(() => console.log(JSON.stringify(server.stats())), 200);
