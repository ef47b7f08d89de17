/** Finds the file for a request: which paths to try, and in which order. @module */

import { errnoName } from "../../errors.ts";
import type { OpenFile } from "./open_root.ts";
import { acceptedCodings, SUFFIXES } from "../rules/fields/codings.ts";
import { planMessage, planRedirect, statusOfError } from "../rules/messages.ts";
import { planFile, planMethod } from "../rules/plan.ts";
import { describeFile, type Representation } from "../rules/representation.ts";
import type { Settings } from "../rules/settings.ts";
import { parseTarget, type Target } from "../rules/target.ts";
import type { Coding, Plan, PlanRequest } from "../rules/types.ts";

/** The result of a look-up. */
export type Found =
  /** A file, or a part of one. The receiver closes it, even if the plan has no parts. */
  | {
    readonly kind: "file";
    readonly plan: Plan;
    readonly file: OpenFile;
    /** Path of the requested file. */
    readonly path: string;
    /** The original of a sidecar, with `keepOriginal`. The receiver closes it. */
    readonly original?: OpenFile | undefined;
    /** Whether it is the `spa` page, sent in place of a missing file. */
    readonly standsIn?: boolean;
  }
  /** A response without a file; the plan's `status` says why. */
  | { readonly kind: "message"; readonly plan: Plan }
  /** A folder to list. The receiver closes it. */
  | { readonly kind: "listing"; readonly folder: OpenFile; readonly target: Target };

/** Yields paths below the root and receives, for each, a file or a negative errno. */
export type Search<T> = Generator<string, T, OpenFile | number>;

/** A request for a file below a root. */
export interface LookupRequest extends FileRequest {
  /** The request target to look up, such as `/a%20b?c`. */
  readonly target: string;
  /** The target as the client sent it, if a framework has removed a prefix. */
  readonly original?: string | undefined;
}

/** A request for one file; see {@linkcode Found}. */
interface FileRequest extends PlanRequest {
  /** Whether to keep a sidecar's original open, to notice when it changes. */
  readonly keepOriginal?: boolean | undefined;
}

/**
 * Finds the response to a request.
 *
 * Yields paths instead of doing I/O, so that a blocking thread and an event loop can both drive it.
 * Closes each file that it receives and does not return.
 */
export function* lookUp(request: LookupRequest, settings: Settings): Search<Found> {
  const refused = planMethod(request, settings);
  if (refused !== undefined) return { kind: "message", plan: refused };
  const target = parseTarget(request.target, settings.dotfiles);
  if (typeof target === "number") return message(request, target);
  const { names, folder } = target;
  const path = names.length === 0 ? "." : names.join("/");
  const opened = yield path;
  if (typeof opened === "number") return yield* missing(request, target, opened, settings);
  if (opened.folder) return yield* inFolder(request, target, opened, settings);
  if (!folder) return yield* serve(request, path, opened, settings);
  // A file has nothing below it.
  opened.close();
  return yield* fallback(request, target, 404, settings);
}

/** Finds the response to a request for one file, whatever its target; rejects other methods. */
export function* lookUpFile(
  request: PlanRequest,
  path: string,
  settings: Settings,
): Search<Exclude<Found, { kind: "listing" }>> {
  const refused = planMethod(request, settings);
  if (refused !== undefined) return { kind: "message", plan: refused };
  const opened = yield path;
  if (typeof opened === "number") {
    return message(request, statusOfError(errnoName(-opened)));
  }
  if (!opened.folder) return yield* serve(request, path, opened, settings);
  opened.close();
  return message(request, 404);
}

function message(request: PlanRequest, status: number): Extract<Found, { kind: "message" }> {
  return { kind: "message", plan: planMessage(request, status) };
}

/** Handles a missing file: tries the extensions if the name has none of them. */
function* missing(
  request: LookupRequest,
  target: Target,
  errno: number,
  settings: Settings,
): Search<Found> {
  const status = statusOfError(errnoName(-errno));
  const { extensions } = settings;
  if (status === 404 && !target.folder && extensions.length > 0 && target.names.length > 0) {
    // "/v1.2" may mean "v1.2.html", but "/a.html" does not mean "a.html.html".
    const own = /.\.([^.]*)$/.exec(target.names.at(-1)!)?.[1];
    const tried = own !== undefined && extensions.includes(own) ? [] : extensions;
    for (const extension of tried) {
      const path = `${target.names.join("/")}.${extension}`;
      const opened = yield path;
      if (typeof opened === "number") continue;
      if (!opened.folder) return yield* serve(request, path, opened, settings);
      opened.close();
    }
  }
  return yield* fallback(request, target, status, settings);
}

function* inFolder(
  request: LookupRequest,
  target: Target,
  opened: OpenFile,
  settings: Settings,
): Search<Found> {
  const { names } = target;
  const { original = request.target } = request;
  // For "/prefix", a framework that removes the prefix passes on "/", which the client did not send.
  if (
    !target.folder || (names.length === 0 && /^[^?]*[^/?](?:\?|$)/.test(request.original ?? "/"))
  ) {
    opened.close();
    return settings.redirect
      ? { kind: "message", plan: planRedirect(request, original) }
      : yield* fallback(request, target, 404, settings);
  }
  for (const index of settings.index) {
    const path = [...names, index].join("/");
    const file = yield path;
    if (typeof file === "number") continue;
    if (file.folder) {
      file.close();
      continue;
    }
    opened.close();
    return yield* serve(request, path, file, settings);
  }
  if (settings.listing !== false) return { kind: "listing", folder: opened, target };
  opened.close();
  return yield* fallback(request, target, 404, settings);
}

/** Returns the `spa` page for paths that only the application knows. */
function* fallback(
  request: LookupRequest,
  { names }: Target,
  status: number,
  settings: Settings,
): Search<Found> {
  if (settings.spa !== "" && status === 404 && isPage(request, names, settings)) {
    const opened = yield settings.spa;
    if (typeof opened !== "number") {
      if (!opened.folder) {
        return { ...yield* serve(request, settings.spa, opened, settings), standsIn: true };
      }
      opened.close();
    }
  }
  return message(request, status);
}

/** Whether the name can be a page's, and the client accepts HTML. */
function isPage(request: PlanRequest, names: readonly string[], { ignores }: Settings): boolean {
  const path = `/${names.join("/")}`;
  if (ignores?.some((ignored) => ignored.test(path)) ?? names.at(-1)?.includes(".")) return false;
  const accept = request.header("accept");
  return !accept || /text\/html|\*\/\*|text\/\*/i.test(accept);
}

/** Returns the file, or a sidecar of it. */
function* serve(
  request: FileRequest,
  path: string,
  original: OpenFile,
  settings: Settings,
): Search<Extract<Found, { kind: "file" }>> {
  let file = original;
  let coding: Coding | undefined;
  const { precompressed } = settings;
  if (precompressed.length > 0) {
    for (const accepted of acceptedCodings(request.header("accept-encoding"), precompressed)) {
      const sidecar = yield `${path}${SUFFIXES[accepted]}`;
      if (typeof sidecar === "number") continue;
      if (sidecar.folder || isOlder(sidecar, original)) {
        sidecar.close();
        continue;
      }
      if (!request.keepOriginal) original.close();
      file = sidecar;
      coding = accepted;
      break;
    }
  }
  try {
    const representation = described(path, file, coding, settings);
    const kept = file !== original && request.keepOriginal ? { original } : undefined;
    return { kind: "file", plan: planFile(request, representation), file, path, ...kept };
  } catch (error) {
    // The headers hook threw.
    file.close();
    original.close();
    throw error;
  }
}

/** Compares whole seconds, because some tools restore times less exactly. */
function isOlder(sidecar: OpenFile, original: OpenFile): boolean {
  return sidecar.mtimeNs / 1_000_000_000n < original.mtimeNs / 1_000_000_000n;
}

function described(
  name: string,
  file: OpenFile,
  coding: Coding | undefined,
  settings: Settings,
): Representation {
  const known = file.described;
  if (known?.settings === settings && known.coding === coding) return known;
  const { size, mtimeNs, ctimeNs } = file;
  return file.described = describeFile({ name, size, mtimeNs, ctimeNs, coding }, settings);
}

/** Drives a search in a thread that may block. */
export function searchNow<T>(search: Search<T>, open: (path: string) => OpenFile | number): T {
  for (let step = search.next();;) {
    if (step.done) return step.value;
    step = search.next(open(step.value));
  }
}

/** Drives a search without blocking the event loop; returns at once if it need not wait. */
export function search<T>(
  steps: Search<T>,
  open: (path: string) => OpenFile | number | Promise<OpenFile | number>,
): T | Promise<T> {
  for (let step = steps.next();;) {
    if (step.done) return step.value;
    const opened = open(step.value);
    if (opened instanceof Promise) return resume(steps, opened, open);
    step = steps.next(opened);
  }
}

async function resume<T>(
  steps: Search<T>,
  opened: Promise<OpenFile | number>,
  open: (path: string) => OpenFile | number | Promise<OpenFile | number>,
): Promise<T> {
  for (let step = steps.next(await opened);;) {
    if (step.done) return step.value;
    step = steps.next(await open(step.value));
  }
}
