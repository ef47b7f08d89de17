/**
 * Replaces `fs.createReadStream` for the whole process: `import "sluice/register"`, or better
 * `node --import sluice/register`, `bun --preload sluice/register`, `deno run --preload ...`.
 *
 * What it reaches: `send`, `serve-static`, Express, Fastify, Koa, sirv and whatever else ends in
 * `createReadStream(...).pipe(response)`, when it calls `fs.createReadStream` on the module object
 * (`require("fs")`, `import fs from "node:fs"`), on every runtime.
 *
 * `import { createReadStream } from "node:fs"` and `import * as fs` are reached as follows. Node.js:
 * always, even by an import that came before. Deno: unless some module has imported `node:fs` before
 * this one; so make it the first import of the program, or use `--preload`. Bun: only with `--preload`,
 * or from modules that are loaded later by `import()` or `require()`; Bun resolves the names of its
 * own modules before it runs the first line.
 *
 * What it does not reach: a function that somebody took from the module before (as `graceful-fs`
 * does), `new fs.ReadStream()`, `FileHandle.createReadStream()` and other Workers. On Bun the
 * responses of `node:http` show no descriptor, so there only plain sockets gain.
 *
 * A second import, also that of another copy, changes nothing.
 *
 * @module
 */

import { syncBuiltinESMExports } from "node:module";
import { builtin } from "./builtins.ts";
import { createReadStream } from "./move/read_stream/read_stream.ts";

/** Shared by all copies of this package in a process. */
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
