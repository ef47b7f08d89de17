/** Searches for one file whose path is known: with its sidecars, or in place of another. @module */

import type { Redirected } from "../rules/by_path/redirects.ts";
import { acceptedCodings, SUFFIXES } from "../rules/fields/codings.ts";
import { planMessage } from "../rules/messages.ts";
import { planFile } from "../rules/plan.ts";
import { describeFile, type Representation } from "../rules/representation.ts";
import type { Settings } from "../rules/settings.ts";
import type { Coding, Plan, PlanRequest } from "../rules/types.ts";
import type { OpenFile } from "./root.ts";
import type { FileRequest, Found, LookupRequest, Search } from "./search.ts";

/** A response without a file. */
export function message(request: PlanRequest, status: number): Extract<Found, { kind: "message" }> {
  return { kind: "message", plan: planMessage(request, status) };
}

/** Returns the file, or a sidecar of it. */
export function* serve(
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

/** Carries out a rule: a redirect, or another file with a status. */
export function* replaced(
  request: LookupRequest,
  rule: Redirected,
  settings: Settings,
): Search<Found> {
  const { status } = rule;
  if ("location" in rule) {
    return { kind: "message", plan: planMessage(request, status, { "Location": rule.location }) };
  }
  const { path } = rule;
  const opened = yield path;
  if (typeof opened === "number") return message(request, 404);
  if (opened.folder) {
    opened.close();
    return message(request, 404);
  }
  if (status === 200) return { ...yield* serve(request, path, opened, settings), standsIn: true };
  const header = (name: string) => name === "accept-encoding" ? request.header(name) : undefined;
  const found = yield* serve({ ...request, header }, path, opened, settings);
  return { ...found, plan: asError(found.plan, status), standsIn: true };
}

/** The same page with the status of an error: neither ranges nor validators of a file apply. */
function asError(plan: Plan, status: number): Plan {
  const headers = Object.fromEntries(
    Object.entries(plan.headers).filter(([name]) =>
      !/^(?:accept-ranges|etag|last-modified|cache-control)$/i.test(name)
    ),
  );
  return { ...plan, status, headers: { ...headers, "Cache-Control": "no-cache" } };
}
