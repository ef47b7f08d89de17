/** `createFileServer`: `file_server.ts FOLDER THREADS CACHE CONNECTIONS FALLBACK`. @module */

import process from "node:process";
import { createFileServer } from "../../src/http/mod.ts";
import { announce } from "./harness.ts";

const [, , root = ".", threads = "1", cache = "on", connections = "10000", fallback] = process.argv;
const server = createFileServer({
  root,
  listing: true,
  threads: Number(threads),
  limits: { maxConnections: Number(connections) },
  // The same as nginx has here.
  backlog: 2048,
  ...fallback !== undefined && { fallback },
  ...cache === "off" && { cache: { maxFileBytes: 0 } },
  ...cache === "none" && { cache: false },
});
announce((await server.listen()).port);
