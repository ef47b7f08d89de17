/**
 * Loads the runtime's own modules at their first use. `node:http` loads slowly on Node.js and Deno,
 * and most programs that import sluice need few of these modules.
 *
 * @module
 */

import { builtinModule } from "../ffi/mod.ts";

type Builtins = {
  buffer: typeof import("node:buffer");
  crypto: typeof import("node:crypto");
  diagnostics_channel: typeof import("node:diagnostics_channel");
  dns: typeof import("node:dns");
  fs: typeof import("node:fs");
  http: typeof import("node:http");
  https: typeof import("node:https");
  module: typeof import("node:module");
  net: typeof import("node:net");
  os: typeof import("node:os");
  path: typeof import("node:path");
  process: typeof import("node:process");
  stream: typeof import("node:stream");
  tls: typeof import("node:tls");
  url: typeof import("node:url");
  worker_threads: typeof import("node:worker_threads");
  zlib: typeof import("node:zlib");
};

const loaded: Partial<Builtins> = {};

/** Returns `node:<name>`; all three runtimes have it under that name. */
export function builtin<K extends keyof Builtins>(name: K): Builtins[K] {
  return loaded[name] ??= load(name);
}

function load<K extends keyof Builtins>(name: K): Builtins[K] {
  return builtinModule(`node:${name}`) as Builtins[K];
}
