/** Cross-origin requests: https://fetch.spec.whatwg.org, section 3.3. @module */

import { describe } from "../../options.ts";
import { checkHeaders } from "./fields/fields.ts";
import type { CorsOptions } from "./options.ts";
import type { Headers, PlanRequest } from "./types.ts";

/** {@linkcode CorsOptions}, checked. */
export interface Cors {
  readonly origins: "*" | ReadonlySet<string>;
  readonly credentials: boolean;
  /** Value of Access-Control-Expose-Headers. */
  readonly exposed: string;
  readonly maxAgeSeconds: number;
}

/** Response fields that pages can read only if they are exposed. */
const EXPOSED = [
  "Accept-Ranges",
  "Content-Disposition",
  "Content-Encoding",
  "Content-Range",
  "ETag",
];

/** Request fields for parts of a file that need permission. */
const ALLOWED = "Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range";

/** Checks the option; returns `undefined` if other origins get no access. */
export function compileCors(value: boolean | CorsOptions): Cors | undefined {
  if (value === false) return undefined;
  if (value !== true && (typeof value !== "object" || value === null)) {
    throw new TypeError(`Cannot serve files: cors must be an object, not ${describe(value)}`);
  }
  const { origin = "*", credentials = false, exposeHeaders = [], maxAgeSeconds = 7200 } =
    value === true ? {} : value;
  const listed = typeof origin === "string" ? [origin] : origin;
  const origins = listed.includes("*") ? "*" : new Set(listed.map(checkOrigin));
  if (origins === "*" && credentials) {
    throw new TypeError('Cannot serve files: cors with credentials must list origins, not "*"');
  }
  const exposed = [...EXPOSED, ...exposeHeaders].join(", ");
  checkHeaders({ "Access-Control-Expose-Headers": exposed });
  if (!Number.isSafeInteger(maxAgeSeconds) || maxAgeSeconds < 0) {
    throw new RangeError(`Cannot serve files: maxAgeSeconds is ${describe(maxAgeSeconds)}`);
  }
  return { origins, credentials, exposed, maxAgeSeconds };
}

function checkOrigin(origin: string): string {
  if (typeof origin === "string" && /^[a-z][a-z\d+.-]*:\/\/[!-.0-~]+$/i.test(origin)) return origin;
  throw new TypeError(`Cannot serve files: ${describe(origin)} is not an origin`);
}

/** Returns the fields that let a page read the response; `undefined` if it must not. */
export function corsHeaders(cors: Cors, request: PlanRequest): Headers | undefined {
  const { origins, credentials, exposed } = cors;
  const origin = request.header("origin");
  if (origins !== "*" && (!origin || !origins.has(origin))) return undefined;
  return {
    "Access-Control-Allow-Origin": origins === "*" ? "*" : origin!,
    ...credentials && { "Access-Control-Allow-Credentials": "true" },
    "Access-Control-Expose-Headers": exposed,
  };
}

/** Returns the fields that answer a preflight request. */
export function preflightHeaders(cors: Cors, request: PlanRequest): Headers {
  const { origins, credentials, maxAgeSeconds } = cors;
  const vary = origins === "*" ? undefined : { "Vary": "Origin" };
  const origin = request.header("origin");
  if (origins !== "*" && (!origin || !origins.has(origin))) return vary!;
  return {
    "Access-Control-Allow-Origin": origins === "*" ? "*" : origin!,
    ...credentials && { "Access-Control-Allow-Credentials": "true" },
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": ALLOWED,
    "Access-Control-Max-Age": String(maxAgeSeconds),
    ...vary,
  };
}
