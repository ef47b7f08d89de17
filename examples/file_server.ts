/**
 * Serves a folder over HTTP by sendfile(2): `node examples/file_server.ts --help`.
 *
 * Runs unchanged on Node.js, Bun and Deno (`deno run -A`).
 *
 * @module
 */

import process from "node:process";
import { main } from "./file_server/main.ts";

await main(process.argv.slice(2));
