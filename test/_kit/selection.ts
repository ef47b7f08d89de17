/** Which test files run on which runtime, and in which order. @module */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Which files: all that need foreign calls or hold with them, those that hold without, the long ones,
 * or those that depend on the runtime.
 */
export type FileKind = "all" | "none" | "stress" | "runtime";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Tests that also pass without foreign calls; test/portable passes only without them. */
export const FLOOR: readonly string[] = [
  "test/portable/",
  "test/cli/compress",
  "test/http/server/archives",
  "test/http/server/mounts",
  "test/http/server/precompressed",
  "test/memory/changing",
  "test/http/uploads",
  "test/move/copy_ended",
  "test/move/engine/diagnostics",
  "test/move/copy_file/copy_sync",
  "test/move/copy_refused",
  "test/move/failed_streams",
  "test/move/lengthless",
  "test/move/promised_length",
  "test/move/pseudo_files",
  "test/move/silent_address",
  "test/move/transfer/follow",
  "test/move/transfer/web",
  "test/package/options_once",
];

/** Tests of what depends on the runtime. The rest is plain JavaScript and system calls. */
export const RUNTIME: readonly string[] = [
  "test/ffi/",
  "test/runtime/",
  "test/dropin/",
  "test/threads/",
  "test/kit/",
  "test/move/send_file",
  "test/move/read_stream/read_stream",
  "test/move/permissions",
  "test/memory/mapping/in_use",
  "test/memory/mapping/mapped_file",
  "test/memory/mapping/dropped",
  "test/memory/fault_guard/fault_guard",
  "test/http/server/lifecycle",
  "test/http/serve_static",
  "test/http/frameworks",
  "test/package/package",
  "test/cli/main",
];

/**
 * Tests that reach the rooms whose coverage CI prints. The others run with the compile cache, which
 * coverage does not go with: without it, every process strips the types of every file again.
 */
export const COVERED: readonly string[] = [
  ...FLOOR,
  "test/faults/",
  "test/http/",
  "test/memory/",
  "test/move/",
  "test/page_cache/",
];

/** Files that take long, and start first: a lane that starts one last keeps the others idle. */
export const SLOW: readonly string[] = [
  "test/faults/",
  "test/move/slow_files",
  "test/package/",
  "test/http/server/remote_files",
  "test/kit/runner",
  "test/http/server/proxy/proxy",
  "test/cli/compare_trouble",
  "test/move/broadcast/slow",
  "test/http/server/lifecycle",
  "test/tls/contexts",
  "test/move/pseudo_files",
  "test/cli/serve_tls",
  "test/move/relay/trouble",
  "test/memory/addresses",
  "test/threads/worker_host",
];

/** Whether `file` is one of `list`, which has paths and starts of paths. */
export function isIn(list: readonly string[], file: string): boolean {
  return list.some((path) => file.startsWith(path));
}

/** The test files of a kind; of those, if `wanted` has any, the ones that it names. */
export function selectFiles(kind: FileKind, wanted: readonly string[]): string[] {
  const found = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`)
    .filter((name) => name.startsWith("test/stress/") === (kind === "stress"))
    .filter((name) => kind === "none" ? isIn(FLOOR, name) : !name.startsWith("test/portable/"))
    .filter((name) => kind !== "runtime" || isIn(RUNTIME, name))
    .sort();
  if (wanted.length === 0) return found;
  const named = wanted.filter((path) => path.endsWith(".test.ts") && existsSync(path));
  const parts = wanted.filter((path) => !named.includes(path));
  return [...named, ...found.filter((name) => parts.some((part) => name.includes(part)))];
}

/** How late `file` may start: its place in {@linkcode SLOW}, or behind all of them. */
export function turnToStart(file: string): number {
  const place = SLOW.findIndex((path) => file.startsWith(path));
  return place < 0 ? SLOW.length : place;
}
