/** Locates the Worker entry, and explains why it cannot start. @module */

import { setting } from "../../ffi/mod.ts";
import { builtin } from "../builtins.ts";
import { debug } from "../debug.ts";
import { errnoNumber, SyscallError, UnsupportedError } from "../errors.ts";

const REMEDY =
  "bundle sluice/worker as a second entry, worker.js beside the program's file, or name it by the " +
  "environment variable SLUICE_WORKER";

/** Subfolders into which vite and rollup put code that entries share. */
const CHUNKS = /\/(?:assets|chunks|_chunks|_shared)\/[^/]+$/;

/** The file of a CommonJS module; CommonJS bundles lack `import.meta.url`. */
declare const __filename: string | undefined;

/**
 * Returns the file to start: the option, else `SLUICE_WORKER`, else the entry beside this file.
 *
 * @throws {UnsupportedError} When a bundler has removed this file's own URL, or the file beside it is
 * another program.
 */
export function workerLocation(option: URL | string | undefined): URL {
  const wanted = option ?? setting("SLUICE_WORKER");
  if (wanted instanceof URL) return wanted;
  if (wanted !== undefined && wanted !== "") {
    return /^[a-z][a-z+.-]+:/i.test(wanted)
      ? new URL(wanted)
      : builtin("url").pathToFileURL(builtin("path").resolve(wanted));
  }
  const own = ownLocation();
  if (own === undefined) {
    throw missingWorker(`this bundle does not know its own URL; ${REMEDY}`);
  }
  // The same folder in src/threads/, in dist/ and in flat bundles.
  const [ending] = /\.(?:ts|mjs|cjs)$/.exec(own) ?? [".js"];
  const beside = new URL(`./worker${ending}`, own);
  if (!CHUNKS.test(own)) return refuseForeign(beside);
  const above = new URL(`../worker${ending}`, own);
  return refuseForeign(builtin("fs").existsSync(above) ? above : beside);
}

/** Files that were looked at, and whether each is sluice's Worker entry. */
const entries = new Map<string, boolean>();

/** What `threads/worker.ts` contains, and a file that is not bundled. This pattern does not match itself. */
const ENTRY = /sluice\.worker\.entry|["']sluice\/worker["']/;

/** Relative paths of the modules that a module imports. */
const IMPORTS = /(?:\b(?:import|from)\s*|\brequire\s*\(\s*)["'](\.\.?\/[^"']+)["']/g;

/** Maximum number of files that are searched for the mark of the entry: a bundler may have split it. */
const MOST_FILES = 20;

/** Refuses a file beside the bundle that has the name of sluice's Worker entry and is another program. */
function refuseForeign(location: URL): URL {
  const known = entries.get(location.href) ?? isEntry(location);
  entries.set(location.href, known);
  if (known) return location;
  throw missingWorker(`${location.href} is not sluice's Worker; ${REMEDY}`);
}

function isEntry(location: URL): boolean {
  const files = new Set([location.href]);
  for (const href of files) {
    try {
      const text = builtin("fs").readFileSync(new URL(href), "latin1");
      if (ENTRY.test(text)) return true;
      for (const [, path] of text.matchAll(IMPORTS)) {
        if (files.size < MOST_FILES) files.add(new URL(path!, href).href);
      }
    } catch {
      // A missing file is reported when the Worker does not load it; one that cannot be read may load.
      if (href === location.href) return true;
    }
  }
  return false;
}

function missingWorker(reason: string): UnsupportedError {
  const failure = new UnsupportedError({ action: "start a Worker", reason });
  missing.add(failure);
  return failure;
}

function ownLocation(): string | undefined {
  const own = import.meta.url as string | undefined;
  if (own !== undefined) return own;
  return typeof __filename === "string" ? builtin("url").pathToFileURL(__filename).href : undefined;
}

/**
 * The file of a job that has its own entry, such as `"move/relay/server/relay_job"`. If the files
 * lie as in `src/`, uses that path; if they lie flat, uses a file beside the Worker's.
 *
 * @throws {UnsupportedError} As {@linkcode workerLocation}.
 */
export function jobLocation(path: string, option?: URL | string): URL {
  const worker = workerLocation(option);
  const tree = /\/threads\/worker(\.[jt]s)$/.exec(worker.pathname);
  if (tree !== null) return new URL(`../${path}${tree[1]}`, worker);
  return new URL(`./${path.slice(path.lastIndexOf("/") + 1)}.js`, worker);
}

/**
 * Options for a process started with `--input-type`: Node.js passes its flags to Workers, and
 * rejects that one for a Worker with a file.
 */
export function workerExecArgv(): { execArgv?: string[] } {
  const typed = builtin("process").execArgv.some((argument) => argument.startsWith("--input-type"));
  return typed ? { execArgv: [] } : {};
}

/** How the runtimes report that too many files are open. */
const SHORTAGE = /\bE[MN]FILE\b|FdQuotaExceeded|[Tt]oo many open files/;

/** How the runtimes report that the system makes no more threads: `EAGAIN` of clone(2). */
const NO_THREAD = /\bEAGAIN\b|os error 11\b|Failed to spawn worker thread/;

/** Errors of Workers whose file is missing or does not load. */
const missing = new WeakSet<object>();

/** Errors of Workers for which there was no thread; another time there may be one. */
const passing = new WeakSet<object>();

/**
 * Whether a Worker's file is missing, as in a bundle without `sluice/worker`: then operations use their
 * portable fallback. Nothing else ends a Worker so early, except missing permissions, which stay
 * errors.
 */
export function isWorkerMissing(error: unknown): error is UnsupportedError {
  return typeof error === "object" && error !== null && missing.has(error);
}

/** Whether a Worker could not start for a reason that does not change: remember only such an error. */
export function isLasting(error: unknown): error is UnsupportedError {
  return error instanceof UnsupportedError && !passing.has(error);
}

let warned = false;

/** Warns, once for the process, that an operation uses its portable fallback. */
export function warnOfFallback(action: string, error: UnsupportedError): void {
  debug(() => `${action}: ${error.message}`);
  if (warned) return;
  warned = true;
  builtin("process").emitWarning(
    `sluice ${action} without threads of its own, which costs more: ${error.message}`,
    { type: "SluiceWarning", code: "SLUICE_WORKER_MISSING" },
  );
}

/** The error for a Worker that failed to start its job. */
export function startError(
  name: string,
  location: URL,
  cause: unknown,
): UnsupportedError | SyscallError {
  const denied = (cause as { code?: unknown } | null)?.code === "ERR_ACCESS_DENIED";
  const text = cause instanceof Error ? cause.message.split("\n", 1)[0]! : String(cause);
  const action = `start the Worker "${name}"`;
  // Another time there may be enough.
  const shortage = SHORTAGE.exec(text)?.[0];
  if (shortage !== undefined) {
    const errno = errnoNumber(shortage.startsWith("E") ? shortage : "EMFILE");
    return new SyscallError({ syscall: "open", errno, action, cause });
  }
  if (NO_THREAD.test(text)) {
    const failure = new UnsupportedError({
      action,
      reason: "the system makes no more threads (EAGAIN); raise the limit of processes, which " +
        "counts threads: RLIMIT_NPROC of the user, or the limit of PIDs of the container",
      cause,
    });
    passing.add(failure);
    return failure;
  }
  const failure = new UnsupportedError({
    action,
    reason: denied
      ? "Workers are not permitted; start Node.js with --allow-worker, or without --permission"
      : `${location.href} does not load (${text}); ${REMEDY}`,
    cause,
  });
  if (!denied) missing.add(failure);
  return failure;
}
