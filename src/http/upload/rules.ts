/** Rules for storing a file that a client sends, without I/O. @module */

import { errnoName } from "../../errors.ts";
import { checkObject, mustBe } from "../../options.ts";
import { trimBlanks } from "../rules/blanks.ts";
import { planText } from "../rules/messages.ts";
import { PHRASES } from "../rules/phrases.ts";
import { type Dotfiles, encodePath, parseTarget } from "../rules/target.ts";
import type { Plan, PlanRequest } from "../rules/types.ts";
import { isKnownHost, uploadHostsOf } from "./hosts.ts";

/** Options for uploads. */
export interface UploadOptions {
  /**
   * Largest file in bytes, an integer >= 1, or `Infinity`; a larger one gets 413. @default {1 GiB}
   */
  maxBytes?: number | undefined;
  /** Whether an upload may replace a file of the same name; otherwise it gets 409. @default {false} */
  overwrite?: boolean | undefined;
  /**
   * Names by which browsers reach the server: `"files.example.com"`, `"*.example.com"`, or `"*"` for
   * all. Addresses, `localhost`, the name of this machine, `host` and the names in `hosts` need not be
   * named. A page of any other name gets 403, because its owner may have made the name lead to
   * this server (DNS rebinding). Pages that were loaded by HTTPS, programs, and servers with `auth`
   * need no names.
   *
   * @default {[]}
   */
  hosts?: string | readonly string[] | undefined;
}

/** Checked {@linkcode UploadOptions}. */
export interface UploadConfig {
  readonly maxBytes: number;
  readonly overwrite: boolean;
  /** Hosts whose pages may upload by HTTP; `null` for all. */
  readonly hosts: readonly string[] | null;
}

/** Where a file goes, and under which conditions. */
export interface Upload {
  /** Path of the folder below the root; `.` is the root. */
  readonly folder: string;
  readonly name: string;
  /** Path of the file for the field Location. */
  readonly location: string;
  /** Whether the client wants no file of that name to exist (`If-None-Match: *`). */
  readonly fresh: boolean;
  /** Whether the client wants a file of that name to exist (`If-Match: *`). */
  readonly existing: boolean;
}

/** Why a file is not stored. */
export interface Refusal {
  readonly status: number;
  /** One sentence for people, without a period. */
  readonly reason: string;
}

const ACTION = "serve files";
const DEFAULT_BYTES = 2 ** 30;

/** Checks the option `upload`; `null` if there are no uploads. */
export function uploadOf(value: boolean | UploadOptions): UploadConfig | null {
  if (value === false) return null;
  const options = value === true ? {} : value;
  checkObject(options, ACTION);
  const { hosts = [], maxBytes = DEFAULT_BYTES, overwrite = false } = options;
  mustBe(typeof maxBytes === "number", ACTION, "upload.maxBytes", "a number", maxBytes);
  if (maxBytes !== Infinity && !(Number.isSafeInteger(maxBytes) && maxBytes >= 1)) {
    throw new RangeError(
      `Cannot ${ACTION}: upload.maxBytes is ${maxBytes}, but must be an integer >= 1, ` +
        "or Infinity",
    );
  }
  mustBe(typeof overwrite === "boolean", ACTION, "upload.overwrite", "true or false", overwrite);
  return { maxBytes, overwrite, hosts: uploadHostsOf(hosts) };
}

/**
 * Decides where the file of a PUT request goes. `length` is that of the body; -1 if unknown. The target is
 * one below `above`, the path of a mount.
 */
export function planUpload(
  request: PlanRequest & { readonly target: string },
  length: number,
  { hosts, maxBytes }: UploadConfig,
  dotfiles: Dotfiles,
  above = "",
): Upload | Refusal {
  if (isForeign(request)) return refusal(403, "a page of another site cannot upload");
  if (isByUnknownName(request, hosts)) {
    return refusal(403, "pages by this host name cannot upload, unless upload.hosts has the name");
  }
  const target = parseTarget(request.target, "allow");
  if (typeof target === "number") return refusal(target, "the path is not valid");
  const { names } = target;
  if (target.folder) return refusal(400, "the path must name a file, not a folder");
  if (dotfiles !== "allow" && names.some((name) => name[0] === ".")) {
    return refusal(403, "names that begin with a dot are not allowed");
  }
  if (request.header("content-range") != null) {
    return refusal(400, "a part of a file cannot be uploaded");
  }
  const coding = request.header("content-encoding");
  if (coding != null && coding.toLowerCase() !== "identity") {
    return refusal(415, "an encoded file cannot be uploaded");
  }
  if (length > maxBytes) return tooLarge(maxBytes);
  const match = conditionOf(request, "if-match");
  const noneMatch = conditionOf(request, "if-none-match");
  const since = request.header("if-unmodified-since");
  if (match === "tags" || noneMatch === "tags" || since != null) {
    // Tags would have to be compared at the moment of the rename, which the kernel cannot do.
    return refusal(412, "the only conditions are If-Match: * and If-None-Match: *");
  }
  return {
    folder: names.length === 1 ? "." : names.slice(0, -1).join("/"),
    name: names.at(-1)!,
    location: above + encodePath(names),
    fresh: noneMatch === "any",
    existing: match === "any",
  };
}

/** The refusal of a file of more than `maxBytes`. */
export function tooLarge(maxBytes: number): Refusal {
  return refusal(413, `the file is larger than ${maxBytes} bytes`);
}

function refusal(status: number, reason: string): Refusal {
  return { status, reason };
}

/**
 * Whether a page of another origin sends the request: a browser says so by Sec-Fetch-Site, and
 * names the origin. Programs send neither field. Pages of other ports are `same-site`: refused too.
 */
function isForeign(request: PlanRequest): boolean {
  const site = request.header("sec-fetch-site");
  if (site != null && site !== "same-origin" && site !== "none") return true;
  const origin = request.header("origin");
  if (origin == null) return false;
  const host = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  return host === undefined || host.toLowerCase() !== request.header("host")?.toLowerCase();
}

/**
 * Whether a page that was loaded by a name that may be anybody's sends the request. By HTTPS, the browser
 * has checked the certificate of the name.
 */
function isByUnknownName(request: PlanRequest, hosts: UploadConfig["hosts"]): boolean {
  if (hosts === null || !/^http:/i.test(request.header("origin") ?? "")) return false;
  return !isKnownHost(request.header("host") ?? "", hosts);
}

function conditionOf(request: PlanRequest, name: string): "none" | "any" | "tags" {
  const value = request.header(name);
  if (value == null) return "none";
  return trimBlanks(value) === "*" ? "any" : "tags";
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  EEXIST: refusal(409, "a file of this name exists"),
  EISDIR: refusal(409, "a folder of this name exists"),
  ENOTEMPTY: refusal(409, "a folder of this name exists"),
  ENOENT: refusal(404, "there is no such folder"),
  ENOTDIR: refusal(404, "there is no such folder"),
  ELOOP: refusal(404, "there is no such folder"),
  EXDEV: refusal(404, "there is no such folder"),
  EACCES: refusal(403, "the folder cannot be written to"),
  EPERM: refusal(403, "the folder cannot be written to"),
  EROFS: refusal(403, "the folder cannot be written to"),
  ENOSPC: refusal(507, "the disk is full"),
  EDQUOT: refusal(507, "the disk quota is used up"),
  EFBIG: refusal(413, "the file system does not hold files of this size"),
  ENAMETOOLONG: refusal(400, "the name is too long"),
  EINVAL: refusal(400, "the file system does not allow this name"),
  EILSEQ: refusal(400, "the file system does not allow this name"),
  EMFILE: refusal(503, "the server has no free descriptor"),
  ENFILE: refusal(503, "the server has no free descriptor"),
  ETIMEDOUT: refusal(503, "the disk does not answer"),
  EPIPE: refusal(503, "it cannot be stored now; try again"),
};

/** Why a file could not be stored, by the name of the error. */
export function refusalOf(code: string, { existing, fresh }: Upload): Refusal {
  if (code === "EEXIST" && fresh) return refusal(412, "a file of this name exists");
  if (code === "ENOENT" && existing) return refusal(412, "there is no file of this name");
  return REFUSALS[code] ?? refusal(500, "the file could not be stored");
}

/** The same, by a negative error number. */
export function refusalOfErrno(errno: number, upload: Upload): Refusal {
  return refusalOf(errnoName(-errno), upload);
}

const PUT = { method: "PUT", header: () => undefined };

/** The response that says why a file is not stored. */
export function planRefusal({ reason, status }: Refusal): Plan {
  return plan(status, `${status} ${PHRASES.get(status) ?? ""}: ${reason}\n`, {
    ...status === 503 && { "Retry-After": "1" },
  });
}

/** The response to an upload that is complete. */
export function planStored({ location }: Upload, replaced: boolean): Plan {
  return replaced ? plan(200, "200 OK\n", {}) : plan(201, "201 Created\n", { Location: location });
}

function plan(status: number, text: string, more: Readonly<Record<string, string>>): Plan {
  return planText(PUT, status, text, {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...more,
  });
}

/** A hidden name for a file that is not complete: `.sluice-` and 16 random digits. */
export function hiddenName(): string {
  const digits = crypto.getRandomValues(new Uint32Array(2));
  return `.sluice-${[...digits].map((n) => n.toString(16).padStart(8, "0")).join("")}`;
}
