/** `createFileServer`: `file_server.ts FOLDER THREADS CACHE`. @module */

import process from "node:process";
import { createFileServer } from "../../src/http/mod.ts";
import { announce } from "./harness.ts";

const [, , root = ".", threads = "1", cache = "on"] = process.argv;
const server = createFileServer({
  root,
  threads: Number(threads),
  ...cache === "off" && { cache: { maxFileBytes: 0 } },
});
announce((await server.listen()).port);
