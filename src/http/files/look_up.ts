/** From a request to what answers it: which paths to try, in which order. @module */

import { errnoName } from "../../errors.ts";
import type { OpenFile } from "./open_root.ts";
import { acceptedCodings, SUFFIXES } from "../rules/fields/codings.ts";
import { planMessage, planRedirect, statusOfError } from "../rules/messages.ts";
import { planFile, planMethod } from "../rules/plan.ts";
import { describeFile, type Representation } from "../rules/representation.ts";
import type { Settings } from "../rules/settings.ts";
import { parseTarget, type Target } from "../rules/target.ts";
import type { Coding, Plan, PlanRequest } from "../rules/types.ts";

/** What a request is answered with. */
export type Found =
  /** A file, or a part of one. Whoever gets it closes it, also where the plan has no parts. */
  | {
    readonly kind: "file";
    readonly plan: Plan;
    readonly file: OpenFile;
    /** Path of the file that was asked for. */
    readonly path: string;
    /** The file that a sidecar stands for, with `keepOriginal`. Whoever gets it closes it. */
    readonly original?: OpenFile | undefined;
    /** Whether it is the page of an application, sent for what is not there to those who accept it. */
    readonly standsIn?: boolean;
  }
  /** An answer without a file; `status` of the plan says why. */
  | { readonly kind: "message"; readonly plan: Plan }
  /** A folder to be listed. Whoever gets it closes it. */
  | { readonly kind: "listing"; readonly folder: OpenFile; readonly target: Target };

/** Yields paths below the root and is given what they lead to: a file or a negative errno. */
export type Search<T> = Generator<string, T, OpenFile | number>;

/** A request for something below a root. */
export interface LookupRequest extends FileRequest {
  /** The request target as it is to be looked up, such as `/a%20b?c`. */
  readonly target: string;
  /** The target as the client sent it, where a framework has cut a prefix off. */
  readonly original?: string | undefined;
}

/** A request for one file; see {@linkcode Found}. */
interface FileRequest extends PlanRequest {
  /** Whether to keep the file open that a sidecar stands for: to see that it changes. */
  readonly keepOriginal?: boolean | undefined;
}

/**
 * Finds the answer to a request.
 *
 * Does no I/O itself: it yields paths, so that a thread that may wait and an event loop that may not
 * can both drive it. Everything that it is given and does not return it closes.
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

/** Finds the answer to a request for one file, whatever its target; other methods are refused. */
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

/** Nothing of that name: perhaps with an extension, if it has none of them. */
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
  // Of "/prefix" a framework that cuts the prefix off leaves "/", with a slash that was not there.
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

/** The page of an application that does its own routing, for what only it can know. */
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

/** Whether the name may be that of a page, and HTML is welcome. */
function isPage(request: PlanRequest, names: readonly string[], { ignores }: Settings): boolean {
  const path = `/${names.join("/")}`;
  if (ignores?.some((ignored) => ignored.test(path)) ?? names.at(-1)?.includes(".")) return false;
  const accept = request.header("accept");
  return !accept || /text\/html|\*\/\*|text\/\*/i.test(accept);
}

/** A file, or the sidecar that stands for it. */
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
    // A hook for headers has thrown.
    file.close();
    original.close();
    throw error;
  }
}

/** Whole seconds: tools that restore times are not all exact to the nanosecond. */
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

/** Drives a search in a thread that may wait. */
export function searchNow<T>(search: Search<T>, open: (path: string) => OpenFile | number): T {
  for (let step = search.next();;) {
    if (step.done) return step.value;
    step = search.next(open(step.value));
  }
}

/** Drives a search without holding the loop up; at once where nothing has to be waited for. */
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
