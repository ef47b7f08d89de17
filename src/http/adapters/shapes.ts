/** What frameworks call a handler with, told apart by what it looks like. @module */

import type { IncomingMessage, ServerResponse } from "node:http";

/** The part of a Koa context that is used. */
export interface KoaContext {
  /** The request of `node:http`. */
  readonly req: IncomingMessage;
  /** The response of `node:http`. */
  readonly res: ServerResponse;
  /** The target before a mounted application cut its prefix off. */
  readonly originalUrl: string;
  /** Whether Koa ends the response itself. */
  respond?: boolean | undefined;
}

/** The part of a context of Hono that is used. */
export interface HonoContext {
  /** The request. */
  readonly req: { readonly raw: Request };
  /** What @hono/node-server hands over. */
  readonly env: unknown;
  /** The response so far: what others have set on it is kept. */
  readonly res: Response;
}

/** The part of a request of Fastify that is used. */
export interface FastifyRequest {
  /** The request of `node:http`. */
  readonly raw: IncomingMessage;
  /** The log of the application. */
  readonly log?: { error(error: unknown): void } | undefined;
}

/** The part of a reply of Fastify that is used. */
export interface FastifyReply {
  /** The response of `node:http`. */
  readonly raw: ServerResponse;
  /** Leaves the response to us. */
  hijack(): unknown;
  /** Header fields that hooks have set. */
  getHeaders(): Record<string, unknown>;
  /** Answers with the application's own 404. */
  callNotFound(): unknown;
  /** Answers; with an error, as the application does. */
  send(payload: unknown): unknown;
}

/** Header fields and URL of a request of `fetch`. */
type FetchLike = { readonly url?: unknown; readonly headers?: { readonly get?: unknown } };

/** What @hono/node-server puts into the environment of a request. */
interface NodeBindings {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Whether this is a request of `fetch`. */
export function isFetch(value: object): value is Request {
  const { url, headers } = value as FetchLike;
  return typeof url === "string" && typeof headers?.get === "function";
}

/** Whether this is a context of Koa. */
export function isKoa(value: object): value is KoaContext {
  const { req, res, app } = value as { req?: object; res?: object; app?: object };
  return app !== undefined && isNodeResponse(res) && typeof req === "object" && "method" in req;
}

/** Whether this is a context of Hono. */
export function isHono(value: object): value is HonoContext {
  const raw = (value as { req?: { raw?: object } }).req?.raw;
  return typeof raw === "object" && raw !== null && isFetch(raw);
}

/** Whether these two are a request and a reply of Fastify. */
export function isFastify(second: unknown): second is FastifyReply {
  const { hijack, raw } = (second ?? {}) as Partial<FastifyReply>;
  return typeof hijack === "function" && isNodeResponse(raw);
}

/** Whether this is a response of `node:http`, or one that stands in for it. */
export function isNodeResponse(value: unknown): value is ServerResponse {
  return typeof (value as Partial<ServerResponse> | undefined)?.setHeader === "function";
}

/** The request and response behind Hono, where it runs on `node:http`. */
export function nodeBindings(context: HonoContext): NodeBindings | undefined {
  const { incoming, outgoing } = (context.env ?? {}) as Partial<NodeBindings>;
  // Of HTTP/2 too; what stands in for a response elsewhere has no socket.
  return incoming !== undefined && isNodeResponse(outgoing) ? { incoming, outgoing } : undefined;
}
