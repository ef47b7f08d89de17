/** Serves files through requests and responses of `node:http`. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { LookupRequest } from "../files/look_up.ts";
import { isClaimed } from "../../move/engine/connection/claim.ts";
import { phraseOf, planMessage } from "../rules/messages.ts";
import type { Plan } from "../rules/types.ts";
import type { Answer } from "../files/static_root.ts";
import type { Settings } from "../rules/settings.ts";
import {
  busy,
  clearPhrase,
  giveUp,
  isFree,
  isGone,
  sendBody,
  setChangedHead,
  setHead,
} from "./respond.ts";
import type { StaticOptions } from "./options.ts";

/** What is served: a folder, or one file. */
export interface Site {
  readonly settings: Settings;
  /** Returns the target to look up for the target of a request; `undefined` if there is none. */
  below(target: string): string | undefined;
  /** Finds the response. */
  find(request: LookupRequest): Answer | Promise<Answer>;
  /** Returns the whole path for a path that `find()` reports. */
  pathOf(path: string): string;
}

/** What is served, and its place among other handlers. */
export interface Serving {
  readonly site: Site;
  readonly fallthrough: boolean;
  readonly setHeaders: StaticOptions["setHeaders"];
  /**
   * Whether to keep a status that the program has set, as for an error page. The file is then sent
   * whole and without conditions.
   */
  readonly keepsStatus?: boolean | undefined;
  /** The target before a prefix was removed, if the request does not have it. */
  readonly original?: string | undefined;
  /** Called when sluice is certain to answer, before it sets the first header. */
  readonly begin?: (() => void) | undefined;
  /**
   * Called when sluice has answered: whether everything has been handed over, and the error if not.
   * There is no error if the client has left.
   */
  readonly end?: ((complete: boolean, error?: unknown) => void) | undefined;
}

type Next = ((error?: unknown) => void) | undefined;

/** A request as Express and Connect extend it. */
type Incoming = IncomingMessage & { readonly originalUrl?: string };

/** The last response on each connection. */
const latest = new WeakMap<object, ServerResponse>();

/** Responses that have their place after earlier ones. */
const ordered = new WeakSet<ServerResponse>();

/**
 * Answers a request, or passes it on. Never throws.
 *
 * A client may pipeline many requests. Each look-up starts when the previous response is done, so
 * that a connection has one file open at a time.
 */
export function serveNode(
  serving: Serving,
  req: Incoming,
  res: ServerResponse,
  next: Next,
): void {
  inTurn(req, res, () => serveNext(serving, req, res, next));
}

/** Calls `start` when the responses to earlier requests on the connection have been sent. */
export function inTurn(req: IncomingMessage, res: ServerResponse, start: () => void): void {
  // Mock requests may have no socket.
  const connection = req.socket ?? res;
  const before = latest.get(connection);
  // A caller may have let it wait already, and later responses may have come since.
  if (ordered.has(res)) return start();
  ordered.add(res);
  latest.set(connection, res);
  // A queued response has no socket yet. An unknown previous response means nothing.
  if (res.socket === null && before !== undefined && !isOver(before)) {
    before.once("close", start);
  } else start();
}

/** Whether a response has been sent or cut off. Deno's have no `closed`. */
function isOver(res: ServerResponse): boolean {
  const closed = res.closed as boolean | undefined;
  return closed ?? (res.writableFinished || res.destroyed);
}

function serveNext(serving: Serving, req: Incoming, res: ServerResponse, next: Next): void {
  if (req.socket?.destroyed) return serving.end?.(false);
  if (!isFree(res)) return serving.end?.(false, busy(res));
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
  // Only Set-Cookie, which requests do not have, is an array.
  return { method, target, original, header: (name) => headers[name] as string | undefined };
}

function isTheirs({ keepsStatus }: Serving, { statusCode }: ServerResponse): boolean {
  return keepsStatus === true && statusCode !== 200;
}

/** Hides the fields that would select anything but the whole file. */
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
  if (!isFree(res)) {
    file?.close();
    return serving.end?.(false, busy(res));
  }
  const { plan } = answer;
  let sent: Promise<unknown> | undefined;
  try {
    if (file === undefined && isOthers(serving, plan)) return pass(serving, res, next, plan);
    serving.begin?.();
    writeHead(serving, res, answer);
    // The hook has answered by itself.
    if (res.destroyed || res.writableEnded || isClaimed(res)) {
      file?.close();
      return serving.end?.(false);
    }
    sent = sendBody(res, plan, file);
  } catch (error) {
    file?.close();
    return fail(serving, req, res, next, error);
  }
  if (sent === undefined) {
    file?.close();
    return serving.end?.(true);
  }
  sent.then(() => {
    file?.close();
    serving.end?.(true);
  }, (error) => {
    file?.close();
    fail(serving, req, res, next, error);
  });
}

/** Sets the head of a response, and lets the program change it. */
function writeHead(serving: Serving, res: ServerResponse, answer: Answer): void {
  const { plan } = answer;
  const theirs = isTheirs(serving, res) && plan.status === 200;
  const { setHeaders } = serving;
  const hook = answer.kind !== "file" || setHeaders === undefined ? undefined : () => {
    const { size, mtimeNs } = answer.file;
    const mtimeMs = Number(mtimeNs) / 1e6;
    const facts = { size, mtimeMs, mtime: new Date(mtimeMs) };
    setHeaders(res, serving.site.pathOf(answer.path), facts);
  };
  if (theirs || hook !== undefined) setChangedHead(res, plan, theirs, hook);
  else setHead(res, plan);
}

/** Whether to leave a message to the next handler, if there is one. */
function isOthers({ site }: Serving, { status }: Plan): boolean {
  // sluice answers preflights if other origins are allowed.
  return status >= 400 || (status === 204 && site.settings.cors === undefined);
}

/** Leaves a request to the next handler, or answers it if there is none. */
function pass(serving: Serving, res: ServerResponse, next: Next, plan: Plan): void {
  const { status, headers } = plan;
  if (next !== undefined && status < 500) {
    if (serving.fallthrough) return next();
    // A 405 must have Allow (RFC 9110, 15.5.6), which some error handlers drop.
    if (status >= 400 && status !== 405) return next(httpError(status, headers));
  }
  if (next !== undefined && status >= 500) return next(httpError(status, headers));
  serving.begin?.();
  setHead(res, plan);
  sendBody(res, plan, undefined);
  serving.end?.(true);
}

/** Builds an error that Express, Koa, Fastify and Hono can turn into a response. */
export function httpError(status: number, headers: Plan["headers"]): Error {
  const kept = Object.fromEntries(
    Object.entries(headers).filter(([name]) => name === "Allow" || name === "Retry-After"),
  );
  const fields = { status, statusCode: status, expose: status < 500, headers: kept };
  // Hono calls this; it answers other errors with 500.
  const getResponse = () => new Response(phraseOf(status), { status, headers: kept });
  return Object.assign(new Error(phraseOf(status)), fields, { getResponse });
}

/** Handles an error: ignores a client that left, reports the rest to the framework. */
function fail(
  serving: Serving,
  req: Incoming,
  res: ServerResponse,
  next: Next,
  error: unknown,
): void {
  if (!giveUp(res) || isGone(error)) {
    if (!res.destroyed && !res.headersSent) res.destroy();
    return serving.end?.(false, isGone(error) ? undefined : error);
  }
  if (next !== undefined) return next(error);
  answerError(serving, req, res, error);
}

/** Answers 500 if no one else can. */
export function answerError(
  serving: Serving,
  req: Incoming,
  res: ServerResponse,
  error: unknown,
): void {
  const plan = planMessage(requestOf(req, ""), 500);
  serving.begin?.();
  // It may be what has failed.
  clearPhrase(res);
  setHead(res, plan);
  sendBody(res, plan, undefined);
  serving.end?.(false, error);
}
