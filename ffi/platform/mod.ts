/** Picks the table of the running system. @module */

import { DARWIN_ARM64, DARWIN_X64 } from "./darwin.ts";
import { LINUX_ARM64, LINUX_X64 } from "./linux.ts";
import type { Platform } from "./types.ts";

export type { Platform } from "./types.ts";

/** Where the runtimes name the system. */
interface Globals {
  readonly Deno?: { readonly build: { readonly os: string; readonly arch: string } };
  readonly process?: { readonly platform?: string; readonly arch?: string };
}

/** The system that this process reports in Node's words, such as `"linux-x64"`. */
export const system: string = nameSystem(globalThis as Globals);

const TABLES: Record<string, Platform> = {
  "linux-x64": LINUX_X64,
  "linux-arm64": LINUX_ARM64,
  "darwin-arm64": DARWIN_ARM64,
  "darwin-x64": DARWIN_X64,
};

/** Whether there is a table for this system; without one nothing is ever called. */
export const supported: boolean = system in TABLES;

/**
 * The numbers of this system. On an unsupported one they are those of Linux on x64, so that the
 * modules which name flags can be imported; no call is made there.
 */
export const platform: Platform = TABLES[system] ?? LINUX_X64;

function nameSystem(globals: Globals): string {
  // Deno loads its Node.js modules when `process` is first looked at, which would make up most of
  // the time that an import takes.
  const build = globals.Deno?.build;
  if (build === undefined) return `${globals.process?.platform}-${globals.process?.arch}`;
  const processors: Record<string, string> = { x86_64: "x64", aarch64: "arm64" };
  return `${build.os}-${processors[build.arch] ?? build.arch}`;
}
