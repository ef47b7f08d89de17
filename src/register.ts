/**
 * Replaces `fs.createReadStream` for the whole process: `import "sluice/register"`, or better
 * `node --import sluice/register`, `bun --preload sluice/register`, `deno run --preload ...`.
 *
 * Speeds up `send`, `serve-static`, Express, Fastify, Koa, sirv and any other code that ends in
 * `createReadStream(...).pipe(response)`, on every runtime, if it calls `fs.createReadStream` on
 * the module object (`require("fs")`, `import fs from "node:fs"`).
 *
 * For `import { createReadStream } from "node:fs"` and `import * as fs`, it depends on the runtime:
 *
 * - Node.js: always works, even for imports that came earlier.
 * - Deno: works if no module has imported `node:fs` earlier. Make this the first import of the
 *   program, or use `--preload`.
 * - Bun: works with `--preload`, or in modules that `import()` or `require()` loads later. Bun
 *   resolves the names of its own modules before it runs the first line.
 *
 * Does not reach functions that were taken from the module earlier (as `graceful-fs` does),
 * `new fs.ReadStream()`, `FileHandle.createReadStream()` and other Workers. On Bun, responses gain
 * from 192 KiB on.
 *
 * A second import, even from another copy of this package, changes nothing.
 *
 * @module
 */

import { syncBuiltinESMExports } from "node:module";
import { builtin } from "./builtins.ts";
import { createReadStream } from "./move/read_stream/read_stream.ts";

/** All copies of this package in a process share this mark. */
const REGISTERED = Symbol.for("sluice.registered");

const fs = builtin("fs");
if (!(REGISTERED in fs.createReadStream)) {
  fs.createReadStream = Object.defineProperty(
    createReadStream as typeof import("node:fs").createReadStream,
    REGISTERED,
    { value: true },
  );
  syncBuiltinESMExports();
}
