/** Finds the file for a request: which paths to try, and in which order. @module */

import { errnoName } from "../../errors.ts";
import { appendTo } from "../listing/appended.ts";
import { redirected } from "../rules/by_path/redirects.ts";
import { planMessage, planRedirect, statusOfError } from "../rules/messages.ts";
import { planMethod } from "../rules/plan.ts";
import type { Settings } from "../rules/settings.ts";
import { parseTarget, type Target } from "../rules/target.ts";
import type { Plan, PlanRequest } from "../rules/types.ts";
import { alone, fileAt, message, replaced, serve } from "./found_file.ts";
import type { OpenFile } from "./root.ts";
import type { Found, LookupRequest, Search } from "./search.ts";

export type { Found, LookupRequest, Search };

/**
 * Finds the response to a request.
 *
 * Yields paths instead of doing I/O, so that a blocking thread and an event loop can both drive it.
 * Closes each file that it receives and does not return.
 */
export function* lookUp(request: LookupRequest, settings: Settings): Search<Found> {
  const found = yield* find(request, settings);
  return found.kind === "message" ? { ...found, plan: appendTo(found.plan, settings) } : found;
}

function* find(request: LookupRequest, settings: Settings): Search<Found> {
  const refused = planMethod(request, settings);
  if (refused !== undefined) return { kind: "message", plan: refused };
  const target = parseTarget(request.target, settings.dotfiles);
  if (typeof target === "number") return message(request, target);
  const { names, folder } = target;
  const path = names.length === 0 ? "." : names.join("/");
  const forced = redirected(target, settings.redirects, true);
  if (forced !== undefined) return yield* replaced(request, forced, settings);
  if (settings.only !== "" && path !== settings.only) {
    if (names.length > 0) return message(request, 404);
    const plan = lacksSlash(request)
      ? planRedirect(request, request.original!)
      : planToOnly(request, settings.only);
    return { kind: "message", plan };
  }
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
  const found = yield* fileAt(request, path, settings);
  return typeof found === "number" ? message(request, statusOfError(errnoName(-found))) : found;
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
  if (!target.folder && target.names.length > 0) {
    const found = yield* alone(request, target.names.join("/"), errno, settings);
    if (found !== undefined) return found;
  }
  if (status === 404 && !target.folder && extensions.length > 0 && target.names.length > 0) {
    // "/v1.2" may mean "v1.2.html", but "/a.html" does not mean "a.html.html".
    const own = /.\.([^.]*)$/.exec(target.names.at(-1)!)?.[1];
    const tried = own !== undefined && extensions.includes(own) ? [] : extensions;
    for (const extension of tried) {
      const path = `${target.names.join("/")}.${extension}`;
      const found = yield* fileAt(request, path, settings);
      if (typeof found !== "number") return found;
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
  if (!target.folder || (names.length === 0 && lacksSlash(request))) {
    opened.close();
    return settings.redirect
      ? { kind: "message", plan: planRedirect(request, original) }
      : yield* fallback(request, target, 404, settings);
  }
  for (const index of settings.index) {
    let found;
    try {
      found = yield* fileAt(request, [...names, index].join("/"), settings);
    } catch (error) {
      opened.close();
      throw error;
    }
    if (typeof found === "number") continue;
    opened.close();
    return found;
  }
  const listed = settings.listing !== false &&
    redirected(target, settings.redirects, false) === undefined;
  if (listed) return { kind: "listing", folder: opened, target };
  opened.close();
  return yield* fallback(request, target, 404, settings);
}

/** Handles a missing file: redirects, the `spa` page and the `notFound` page. */
function* fallback(
  request: LookupRequest,
  target: Target,
  status: number,
  settings: Settings,
): Search<Found> {
  const { names } = target;
  const other = status === 404 ? redirected(target, settings.redirects, false) : undefined;
  if (other !== undefined) return yield* replaced(request, other, settings);
  if (settings.spa !== "" && status === 404 && isPage(request, names, settings)) {
    const found = yield* fileAt(request, settings.spa, settings);
    if (typeof found !== "number") return { ...found, standsIn: true };
  }
  if (settings.notFound === "" || status !== 404) return message(request, status);
  return yield* replaced(request, { path: settings.notFound, status }, settings);
}

/** For "/prefix", the part below the prefix is "/", which the client did not send. */
function lacksSlash({ original = "/" }: LookupRequest): boolean {
  return /^[^?]*[^/?](?:\?|$)/.test(original);
}

/** Redirects from the folder to its only file, whose name a browser should know. */
function planToOnly(request: PlanRequest, name: string): Plan {
  return planMessage(request, 302, { "Location": `./${encodeURIComponent(name)}` });
}

/** Whether the name can be a page's, and the client accepts HTML. */
function isPage(request: PlanRequest, names: readonly string[], { ignores }: Settings): boolean {
  const path = `/${names.join("/")}`;
  if (ignores?.some((ignored) => ignored.test(path)) ?? names.at(-1)?.includes(".")) return false;
  const accept = request.header("accept");
  return !accept || /text\/html|\*\/\*|text\/\*/i.test(accept);
}
