/** Searches for one file whose path is known: with its sidecars, or in place of another. @module */

import { ENOENT } from "../../errno.ts";
import type { Redirected } from "../rules/by_path/redirects.ts";
import { mediaType } from "../../media_types.ts";
import { appends } from "../listing/appended.ts";
import { acceptedCodings, SUFFIXES } from "../rules/fields/codings.ts";
import { planMessage } from "../rules/messages.ts";
import { planFile } from "../rules/plan.ts";
import { describeOnce } from "./descriptions.ts";
import type { Representation } from "../rules/representation.ts";
import type { Settings } from "../rules/settings.ts";
import type { Coding, Plan, PlanRequest } from "../rules/types.ts";
import type { OpenFile } from "./root.ts";
import { versionPath } from "./versions.ts";
import type { FileRequest, Found, LookupRequest, Search } from "./search.ts";

/** A response without a file. */
export function message(request: PlanRequest, status: number): Extract<Found, { kind: "message" }> {
  return { kind: "message", plan: planMessage(request, status) };
}

type FoundFile = Extract<Found, { kind: "file" }>;

/** Order in which sidecars stand for a missing file if the client accepts none: most read gzip. */
const ANY: readonly Coding[] = ["gzip", "br", "zstd"];

/** Finds a file, or a sidecar of it; returns a negative errno if there is none, or a folder. */
export function* fileAt(
  request: FileRequest,
  path: string,
  settings: Settings,
): Search<FoundFile | number> {
  const opened = yield path;
  if (typeof opened === "number") return (yield* alone(request, path, opened, settings)) ?? opened;
  if (!opened.folder) return yield* serve(request, path, opened, settings);
  opened.close();
  return ENOENT;
}

/** Finds a sidecar of a missing file, if the settings say so. */
export function* alone(
  request: FileRequest,
  path: string,
  errno: number,
  settings: Settings,
): Search<FoundFile | undefined> {
  if (!settings.always || errno !== ENOENT) return undefined;
  const accepted = acceptedCodings(request.header("accept-encoding"), settings.precompressed);
  for (const coding of new Set([...accepted, ...ANY])) {
    const sidecar = yield `${path}${SUFFIXES[coding]}`;
    if (typeof sidecar === "number") continue;
    if (!sidecar.folder) return planned(request, path, sidecar, coding, settings);
    sidecar.close();
  }
  return undefined;
}

/** Returns the file, or a sidecar of it. */
export function* serve(
  request: FileRequest,
  path: string,
  original: OpenFile,
  settings: Settings,
): Search<FoundFile> {
  const { precompressed, versions } = settings;
  if (precompressed.length > 0 && !appends(settings, mediaType(path), undefined)) {
    for (const coding of acceptedCodings(request.header("accept-encoding"), precompressed)) {
      let sidecar = yield `${path}${SUFFIXES[coding]}`;
      if (typeof sidecar !== "number" && (sidecar.folder || isOlder(sidecar, original))) {
        sidecar.close();
        sidecar = ENOENT;
      }
      if (typeof sidecar === "number" && versions !== "") {
        sidecar = yield versionPath(path, original, coding);
        if (typeof sidecar !== "number" && sidecar.size === 0) {
          // Not smaller than the file.
          sidecar.close();
          sidecar = ENOENT;
        }
      }
      if (typeof sidecar === "number") continue;
      if (!request.keepOriginal) original.close();
      return planned(request, path, sidecar, coding, settings, original);
    }
  }
  return planned(request, path, original, undefined, settings);
}

/** Plans the response; closes the files if that fails. */
function planned(
  request: FileRequest,
  path: string,
  file: OpenFile,
  coding: Coding | undefined,
  settings: Settings,
  original?: OpenFile,
): FoundFile {
  try {
    const representation = described(path, file, coding, settings);
    const kept = original !== undefined && request.keepOriginal ? { original } : undefined;
    return { kind: "file", plan: planFile(request, representation), file, path, ...kept };
  } catch (error) {
    // The headers hook threw.
    file.close();
    original?.close();
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
  return file.described = describeOnce({ name, size, mtimeNs, ctimeNs, coding }, settings);
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
  if (status === 200) {
    const found = yield* fileAt(request, path, settings);
    return typeof found === "number" ? message(request, 404) : { ...found, standsIn: true };
  }
  const header = (name: string) => name === "accept-encoding" ? request.header(name) : undefined;
  const found = yield* fileAt({ ...request, header }, path, settings);
  if (typeof found === "number") return message(request, 404);
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
