/**
 * `npm start`: makes a folder with real files and serves it as `sluice serve` does.
 *
 * `npm start -- --port 9000`, or `bun examples/start.ts`, or `deno run -A examples/start.ts`.
 *
 * @module
 */

import { tmpdir } from "node:os";
import process from "node:process";
import { serve } from "../src/cli/commands/serve.ts";
import { howBytesTravel } from "../src/cli/serve/serve.ts";
import { makeFolder } from "./start/folder.ts";

const folder = makeFolder(tmpdir(), howBytesTravel());
await serve.parseAsync([folder, ...process.argv.slice(2)], { from: "user" });
// Ctrl-C is the normal end. npm would report another exit code as an error.
process.exitCode = 0;
