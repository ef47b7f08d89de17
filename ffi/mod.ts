/**
 * Chooses the FFI backend of the running runtime, once, synchronously.
 *
 * It uses globals and `process.getBuiltinModule` only. So the same module graph loads on every
 * runtime, from npm, from JSR and from a git checkout, without conditional imports or top-level
 * await.
 *
 * @module
 */

import { createBackend as createBun } from "./bun.ts";
import { createBackend as createDeno } from "./deno.ts";
import { createBackend as createKoffi } from "./koffi.ts";
import { createBackend as createNode, letCompilersFinish } from "./node.ts";
import type { Backend } from "./types.ts";

/** The name and version that the runtime reports. */
export interface Runtime {
  readonly name: "node" | "bun" | "deno" | "unknown";
  readonly version: string;
}

/** The globals that tell the runtimes apart. */
interface Globals {
  readonly Deno?: Parameters<typeof createDeno>[0] & {
    readonly version: { readonly deno: string };
    readonly permissions: {
      querySync(
        query: { name: "env"; variable: string } | { name: "read" },
      ): { readonly state: string };
    };
  };
  readonly Bun?: { readonly version: string };
  readonly process?: {
    getBuiltinModule?(id: string): unknown;
    once(event: "exit", listener: () => void): void;
    readonly env?: Record<string, string | undefined>;
    readonly versions?: { readonly node?: string };
    /** Present only under the permission model of Node.js. */
    readonly permission?: unknown;
  };
}

/** Present only if a bundler has turned this module into CommonJS. */
declare const __filename: string;

// Reads `process` only when needed: on Deno, that loads its Node.js modules.
const globals = globalThis as Globals;
const { Deno, Bun } = globals;

/** Messages of the runtimes when descriptors or memory run out during a load. */
const SHORTAGE = /EMFILE|ENFILE|ENOMEM|too many open files|cannot allocate memory/i;

let chosen: Backend | undefined;
let refusal: Error | undefined;

/**
 * Returns the backend of this runtime; the first call chooses it.
 *
 * @throws {Error} When no backend works; names the attempts, the remedy and the `cause`. A failure
 * is remembered, because the answer does not change while the process runs. The exception is a
 * shortage of descriptors or memory, which may pass.
 */
export function backend(): Backend {
  if (chosen !== undefined) return chosen;
  if (refusal !== undefined) throw refusal;
  try {
    return chosen = choose();
  } catch (error) {
    if (!passes(error as Error)) refusal = error as Error;
    throw error;
  }
}

/** Detects the runtime. */
export function runtime(): Runtime {
  // Deno and Bun also define `process`, so check for them first.
  if (Deno !== undefined) return { name: "deno", version: Deno.version.deno };
  if (Bun !== undefined) return { name: "bun", version: Bun.version };
  const version = globals.process?.versions?.node;
  return version === undefined ? { name: "unknown", version: "" } : { name: "node", version };
}

/** The oldest versions that are supported: `engines` in package.json. */
const OLDEST = { node: [22, 18], bun: [1, 4], deno: [2, 9] } as const;
const NAMES = { node: "Node.js", bun: "Bun", deno: "Deno" } as const;

/** Says which version is needed if the runtime is too old; `undefined` otherwise. */
export function tooOld({ name, version }: Runtime = runtime()): string | undefined {
  if (name === "unknown") return undefined;
  const [major, minor] = OLDEST[name];
  if (atLeast(version, major, minor)) return undefined;
  return `${NAMES[name]} ${version} is too old: sluice needs ${
    NAMES[name]
  } ${major}.${minor} or later`;
}

/** Reads a setting from the environment, without a permission prompt on Deno. */
export function setting(
  variable: `SLUICE_${string}` | "NODE_DEBUG" | "SSL_CERT_FILE",
): string | undefined {
  if (Deno !== undefined) {
    const { state } = Deno.permissions.querySync({ name: "env", variable });
    if (state !== "granted") return undefined;
  }
  return globals.process?.env?.[variable];
}

/**
 * Whether the runtime's permissions allow only some paths. Then only the runtime may open a path,
 * because a foreign call would bypass its permissions.
 */
export function guardsPaths(): boolean {
  if (Deno !== undefined) return Deno.permissions.querySync({ name: "read" }).state !== "granted";
  return globals.process?.permission !== undefined;
}

function choose(): Backend {
  const old = tooOld();
  if (old !== undefined) throw new Error(`Cannot make foreign calls: ${old}`);
  const wanted = setting("SLUICE_FFI");
  if (wanted === "none") {
    throw new Error("Cannot make foreign calls: SLUICE_FFI=none turns them off; unset it");
  }
  if (wanted !== undefined && wanted !== "" && wanted !== "koffi" && wanted !== "node") {
    throw new Error(
      `Cannot use SLUICE_FFI="${wanted}": expected "koffi", "node" or "none", or leave it unset`,
    );
  }
  if (Deno !== undefined) return createDeno(Deno);
  if (Bun !== undefined) {
    const ffi = builtin<Parameters<typeof createBun>[0]>("bun:ffi");
    if (ffi !== undefined) return createBun(ffi);
  }
  return chooseOnNode(wanted);
}

/**
 * Tries koffi first, which is stable and supports every Node.js; then `node:ffi`, which is neither.
 */
function chooseOnNode(wanted: string | undefined): Backend {
  const failures: unknown[] = [];
  if (wanted !== "node") {
    try {
      const { createRequire } = builtin<typeof import("node:module")>("node:module")!;
      // A bundler that emits CommonJS leaves `import.meta.url` undefined. Never fall back to the
      // current folder: that would load native code from wherever the user stands.
      return createKoffi(createRequire(import.meta.url ?? __filename)("koffi"));
    } catch (cause) {
      failures.push(cause);
    }
  }
  if (wanted !== "koffi") {
    const { name, version } = runtime();
    try {
      const ffi = atLeast(version, 26, 9)
        ? builtin<Parameters<typeof createNode>[0]>("node:ffi")
        : undefined;
      if (ffi !== undefined) {
        globals.process?.once("exit", letCompilersFinish);
        return createNode(ffi);
      }
      failures.push(
        new Error(`Cannot use node:ffi on ${name} ${version}: it needs Node.js 26.9 or later`),
      );
    } catch (cause) {
      failures.push(cause);
    }
  }
  throw new AggregateError(failures, `${remedy(failures)}: ${failures.map(reason).join("; ")}`, {
    cause: failures[0],
  });
}

function remedy(failures: unknown[]): string {
  const denied = failures.some((f) => /^ERR_(DLOPEN_DISABLED|ACCESS_DENIED)$/.test(codeOf(f)));
  return denied
    ? "Cannot load a foreign function backend: start Node.js with --allow-addons (for koffi) or " +
      "--allow-ffi (for node:ffi), or without --permission"
    : "Cannot load a foreign function backend: run `npm install koffi`, or use Node.js 26.9 or " +
      "later, Bun or Deno";
}

/** Whether a failure may pass. */
function passes(error: Error): boolean {
  const failures = error instanceof AggregateError ? error.errors : [error];
  return failures.some((failure) => SHORTAGE.test(`${codeOf(failure)} ${reason(failure)}`));
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? "");
}

/** First line of an error; koffi's also lists the folders that it searched. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0]!;
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

/**
 * Returns a module of the runtime, such as `"node:fs"`, without an import; `undefined` if missing.
 */
export function builtinModule(id: string): unknown {
  return globals.process?.getBuiltinModule?.(id);
}

function builtin<T>(id: string): T | undefined {
  return builtinModule(id) as T | undefined;
}
