/** Serving a site on the requests and responses of `node:http`. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import { builtin } from "../../builtins.ts";
import type { LookupRequest } from "../files/look_up.ts";
import { phraseOf, planMessage } from "../rules/messages.ts";
import type { Plan } from "../rules/types.ts";
import type { Answer, StaticRoot } from "../files/static_root.ts";
import { giveUp, isGone, sendBody, setHead } from "./respond.ts";
import type { StaticOptions } from "./options.ts";

/** A site, and how it stands among other handlers. */
export interface Serving {
  readonly site: StaticRoot;
  readonly fallthrough: boolean;
  readonly setHeaders: StaticOptions["setHeaders"];
  /**
   * Whether a status that the program has set is its own: the file is then the page for it, such as
   * that of an error, whole and without conditions.
   */
  readonly keepsStatus?: boolean | undefined;
  /** The target before a prefix was cut off, where the request does not know it. */
  readonly original?: string | undefined;
  /** Called when it is certain that we answer, before the first header is set. */
  readonly begin?: (() => void) | undefined;
  /** Called when we have answered, in whatever way that ended. */
  readonly end?: (() => void) | undefined;
}

type Next = ((error?: unknown) => void) | undefined;

/** A request as Express and Connect extend it. */
type Incoming = IncomingMessage & { readonly originalUrl?: string };

/** The last response on each connection. */
const latest = new WeakMap<object, ServerResponse>();

/**
 * Answers a request, or passes it on. Never throws.
 *
 * A client may send many requests ahead. Each is looked up when the one before is done, so that a
 * connection has one file open at a time.
 */
export function serveNode(
  serving: Serving,
  req: Incoming,
  res: ServerResponse,
  next: Next,
): void {
  // What stands in for a request in tests of others may have none.
  const connection = req.socket ?? res;
  const before = latest.get(connection);
  latest.set(connection, res);
  // Until then a response has no socket; one that we have not seen says nothing to us.
  if (res.socket === null && before?.closed === false) {
    before.once("close", () => serveNext(serving, req, res, next));
  } else serveNext(serving, req, res, next);
}

function serveNext(serving: Serving, req: Incoming, res: ServerResponse, next: Next): void {
  if (req.socket?.destroyed) return serving.end?.();
  let request: LookupRequest;
  let answer: Answer | Promise<Answer>;
  try {
    const { site } = serving;
    const { url = "", originalUrl: original = serving.original ?? url } = req;
    const target = site.below(url);
    if (target === undefined) return pass(serving, res, next, planMessage(requestOf(req, ""), 404));
    request = requestOf(req, target, original === target ? undefined : original);
    if (isTheirs(serving, res)) request = { ...request, header: unconditional(request) };
    answer = site.find(request);
  } catch (error) {
    return fail(serving, req, res, next, error);
  }
  if (answer instanceof Promise) {
    answer.then(
      (found) => deliver(serving, req, res, next, found),
      (error) => fail(serving, req, res, next, error),
    );
  } else deliver(serving, req, res, next, answer);
}

function requestOf(req: IncomingMessage, target: string, original?: string): LookupRequest {
  const { method = "", headers } = req;
  // Only Set-Cookie, which no request has, comes as an array.
  return { method, target, original, header: (name) => headers[name] as string | undefined };
}

function isTheirs({ keepsStatus }: Serving, { statusCode }: ServerResponse): boolean {
  return keepsStatus === true && statusCode !== 200;
}

/** Without what would make another answer of the file than all of it. */
function unconditional({ header }: LookupRequest): LookupRequest["header"] {
  return (name) => name === "range" || name.startsWith("if-") ? undefined : header(name);
}

function deliver(
  serving: Serving,
  req: Incoming,
  res: ServerResponse,
  next: Next,
  answer: Answer,
): void {
  const file = answer.kind === "file" ? answer.file : undefined;
  if (res.destroyed || res.headersSent || res.writableEnded) {
    file?.close();
    return serving.end?.();
  }
  const { plan } = answer;
  if (file === undefined && isOthers(serving, plan)) return pass(serving, res, next, plan);
  let sent: Promise<unknown> | undefined;
  try {
    serving.begin?.();
    const { statusCode } = res;
    const theirs = isTheirs(serving, res) && plan.status === 200;
    setHead(res, plan);
    if (theirs) res.statusCode = statusCode;
    if (answer.kind === "file" && serving.setHeaders !== undefined) {
      const { size, mtimeNs } = answer.file;
      const mtimeMs = Number(mtimeNs) / 1e6;
      const path = builtin("path").join(serving.site.root.path, answer.path);
      serving.setHeaders(res, path, { size, mtimeMs, mtime: new Date(mtimeMs) });
    }
    sent = sendBody(res, plan, file);
  } catch (error) {
    file?.close();
    return fail(serving, req, res, next, error);
  }
  if (sent === undefined) {
    file?.close();
    return serving.end?.();
  }
  sent.then(() => {
    file?.close();
    serving.end?.();
  }, (error) => {
    file?.close();
    fail(serving, req, res, next, error);
  });
}

/** Whether a message is for somebody else to give, if there is somebody. */
function isOthers({ site }: Serving, { status }: Plan): boolean {
  // A preflight is answered where other origins are welcome.
  return status >= 400 || (status === 204 && site.settings.cors === undefined);
}

/** Leaves a request to the next handler, or answers it where there is none. */
function pass(serving: Serving, res: ServerResponse, next: Next, plan: Plan): void {
  const { status, headers } = plan;
  if (next !== undefined && status < 500) {
    if (serving.fallthrough) return next();
    // Not every error handler passes on the Allow that a 405 must have (RFC 9110, 15.5.6).
    if (status >= 400 && status !== 405) return next(httpError(status, headers));
  }
  if (next !== undefined && status >= 500) return next(httpError(status, headers));
  serving.begin?.();
  setHead(res, plan);
  sendBody(res, plan, undefined);
  serving.end?.();
}

/** An error that Express, Koa, Fastify and Hono know how to answer. */
function httpError(status: number, headers: Plan["headers"]): Error {
  const kept = Object.fromEntries(
    Object.entries(headers).filter(([name]) => name === "Allow" || name === "Retry-After"),
  );
  const fields = { status, statusCode: status, expose: status < 500, headers: kept };
  // What Hono looks for; of other errors it makes 500.
  const getResponse = () => new Response(phraseOf(status), { status, headers: kept });
  return Object.assign(new Error(phraseOf(status)), fields, { getResponse });
}

/** After an error: of the client's going nobody needs to hear, of others the framework does. */
function fail(
  serving: Serving,
  req: Incoming,
  res: ServerResponse,
  next: Next,
  error: unknown,
): void {
  if (!giveUp(res) || isGone(error)) {
    if (!res.destroyed && !res.headersSent) res.destroy();
    return serving.end?.();
  }
  if (next !== undefined) return next(error);
  answerError(serving, req, res);
}

/** Answers with 500 where nobody else can. */
export function answerError(serving: Serving, req: Incoming, res: ServerResponse): void {
  const plan = planMessage(requestOf(req, ""), 500);
  serving.begin?.();
  setHead(res, plan);
  sendBody(res, plan, undefined);
  serving.end?.();
}
