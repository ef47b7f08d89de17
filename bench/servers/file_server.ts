/** `createFileServer`: `file_server.ts FOLDER THREADS CACHE CONNECTIONS FALLBACK PATH`. @module */

import process from "node:process";
import { createFileServer } from "../../src/http/mod.ts";
import { announce } from "./harness.ts";

const [, , root = ".", threads = "1", cache = "on", connections = "10000", program, path] =
  process.argv;
const server = createFileServer({
  root,
  listing: true,
  threads: Number(threads),
  limits: { maxConnections: Number(connections) },
  // The same as nginx has here.
  backlog: 2048,
  ...program !== undefined && { fallback: { to: program, ...path && { paths: [path] } } },
  ...cache === "off" && { cache: { maxFileBytes: 0 } },
  ...cache === "none" && { cache: false },
});
announce((await server.listen()).port);
