/** Chooses the table of the running system. @module */

import { DARWIN_ARM64, DARWIN_X64 } from "./darwin.ts";
import { LINUX_ARM64, LINUX_X64 } from "./linux.ts";
import type { Platform } from "./types.ts";

export type { Platform } from "./types.ts";

/** The globals that name the system. */
interface Globals {
  readonly Deno?: { readonly build: { readonly os: string; readonly arch: string } };
  readonly process?: { readonly platform?: string; readonly arch?: string };
}

/** The system in Node's terms, such as `"linux-x64"`. */
export const system: string = nameSystem(globalThis as Globals);

const TABLES: Record<string, Platform> = {
  "linux-x64": LINUX_X64,
  "linux-arm64": LINUX_ARM64,
  "darwin-arm64": DARWIN_ARM64,
  "darwin-x64": DARWIN_X64,
};

/** Whether this system has a table; without one, no foreign call is ever made. */
export const supported: boolean = system in TABLES;

/**
 * The constants of this system. An unsupported system gets those of Linux on x64, so that modules
 * with flags can be imported; no call is made there.
 */
export const platform: Platform = TABLES[system] ?? LINUX_X64;

function nameSystem(globals: Globals): string {
  // The first access to `process` makes Deno load its Node.js modules, which would take most of the
  // time of an import.
  const build = globals.Deno?.build;
  if (build === undefined) return `${globals.process?.platform}-${globals.process?.arch}`;
  const processors: Record<string, string> = { x86_64: "x64", aarch64: "arm64" };
  return `${build.os}-${processors[build.arch] ?? build.arch}`;
}
