/**
 * `npm start`: makes a folder with real files, and serves it as `file_server.ts` does.
 *
 * `npm start -- --port 9000`, or `bun examples/start.ts`, or `deno run -A examples/start.ts`.
 *
 * @module
 */

import { tmpdir } from "node:os";
import process from "node:process";
import { howBytesTravel, main } from "./file_server/main.ts";
import { makeFolder } from "./start/folder.ts";

await main([makeFolder(tmpdir(), howBytesTravel()), ...process.argv.slice(2)]);
