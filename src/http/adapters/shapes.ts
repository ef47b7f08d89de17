/** Recognizes frameworks by the shape of a handler's arguments. @module */

import type { IncomingMessage, ServerResponse } from "node:http";

/** The used part of a Koa context. */
export interface KoaContext {
  /** The request of `node:http`. */
  readonly req: IncomingMessage;
  /** The response of `node:http`. */
  readonly res: ServerResponse;
  /** The target before a mounted application removed its prefix. */
  readonly originalUrl: string;
  /** Whether Koa ends the response itself. */
  respond?: boolean | undefined;
}

/** The used part of a Hono context. */
export interface HonoContext {
  /** The request. */
  readonly req: { readonly raw: Request };
  /** Bindings of @hono/node-server. */
  readonly env: unknown;
  /** The response so far. Headers set by others stay. */
  readonly res: Response;
}

/** The used part of a Fastify request. */
export interface FastifyRequest {
  /** The request of `node:http`. */
  readonly raw: IncomingMessage;
  /** The application's log. */
  readonly log?: { error(error: unknown): void } | undefined;
}

/** The used part of a Fastify reply. */
export interface FastifyReply {
  /** The response of `node:http`. */
  readonly raw: ServerResponse;
  /** Leaves the response to sluice. */
  hijack(): unknown;
  /** Header fields that hooks have set. */
  getHeaders(): Record<string, unknown>;
  /** Answers with the application's 404. */
  callNotFound(): unknown;
  /** Answers; an error is answered as the application answers errors. */
  send(payload: unknown): unknown;
}

/** The used part of a `fetch` request. */
type FetchLike = { readonly url?: unknown; readonly headers?: { readonly get?: unknown } };

/** Environment of a request in @hono/node-server. */
export interface NodeBindings {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Whether a value is a `fetch` request. */
export function isFetch(value: object): value is Request {
  const { url, headers } = value as FetchLike;
  return typeof url === "string" && typeof headers?.get === "function";
}

/** Whether a value is a Koa context. */
export function isKoa(value: object): value is KoaContext {
  const { req, res, app } = value as { req?: object; res?: object; app?: object };
  return app !== undefined && isNodeResponse(res) && typeof req === "object" && "method" in req;
}

/** Whether a value is a Hono context. */
export function isHono(value: object): value is HonoContext {
  const raw = (value as { req?: { raw?: object } }).req?.raw;
  return typeof raw === "object" && raw !== null && isFetch(raw);
}

/** Whether the second argument is a Fastify reply. */
export function isFastify(second: unknown): second is FastifyReply {
  const { hijack, raw } = (second ?? {}) as Partial<FastifyReply>;
  return typeof hijack === "function" && isNodeResponse(raw);
}

/** Whether a value is a response of `node:http` or a compatible mock. */
export function isNodeResponse(value: unknown): value is ServerResponse {
  return typeof (value as Partial<ServerResponse> | undefined)?.setHeader === "function";
}

/** Returns Hono's request and response of `node:http`, if it runs on that. */
export function nodeBindings(context: HonoContext): NodeBindings | undefined {
  const { incoming, outgoing } = (context.env ?? {}) as Partial<NodeBindings>;
  // HTTP/2 objects count, too. Mock responses of other servers have no socket.
  return incoming !== undefined && isNodeResponse(outgoing) ? { incoming, outgoing } : undefined;
}
