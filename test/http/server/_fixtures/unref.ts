/** Listens, says so, and does not wait. @module */

import { createFileServer } from "../../../../src/http/mod.ts";

const server = createFileServer({ root: "." });
await server.listen();
console.log("listening");
server.unref();
