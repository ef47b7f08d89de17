/** Serves through the responses of `node:http` that Fastify, Koa and Hono wrap. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import { clearPhrase } from "./respond.ts";
import { answerError, serveNode, type Serving } from "./node.ts";
import type {
  FastifyReply,
  FastifyRequest,
  HonoContext,
  KoaContext,
  NodeBindings,
} from "./shapes.ts";

/** What has become of a request. */
export interface Outcome {
  /** Whether sluice has answered. If not, nothing has been sent. */
  readonly answered: boolean;
  /** Whether the whole response has been handed over. */
  readonly complete: boolean;
  /** Why not, unless the client has left. */
  readonly error?: unknown;
}

/** Answers a request; never rejects. */
export function serveRequest(
  serving: Serving,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const end = (complete: boolean, error?: unknown) => resolve({ answered: true, complete, error });
  const next = (error?: unknown) => resolve({ answered: false, complete: false, error });
  serveNode({ ...serving, end }, req, res, next);
  return promise;
}

/** Answers a request of Koa; never rejects. */
export async function serveKoa(serving: Serving, context: KoaContext): Promise<Outcome> {
  const { originalUrl: original, req, res, respond } = context;
  const begin = () => {
    context.respond = false;
    clearPhrase(res);
  };
  const outcome = await serveRequest({ ...serving, begin, original }, req, res);
  // An error handler may want to answer.
  if (!outcome.answered) context.respond = respond;
  return outcome;
}

/** Answers a request of Hono on Node.js; never rejects. */
export function serveHono(
  serving: Serving,
  context: HonoContext,
  { incoming, outgoing }: NodeBindings,
): Promise<Outcome> {
  const begin = () => {
    const { headers } = context.res;
    headers.forEach((value, name) => outgoing.setHeader(name, value));
    // The loop meets each cookie by itself, and has kept the last one.
    const cookies = headers.getSetCookie();
    if (cookies.length > 0) outgoing.setHeader("Set-Cookie", cookies);
  };
  return serveRequest({ ...serving, begin }, incoming, outgoing);
}

/** Tells @hono/node-server that the response has been sent. */
export function alreadySent(): Response {
  const response = new Response(null, { headers: { "x-hono-already-sent": "true" } });
  // @hono/node-server replaces the class, and sends its own objects without looking at the field
  // until something has read their body.
  void response.body;
  return response;
}

/** Answers a request of Fastify, or calls `next`, with an error or to pass it on. */
export function serveFastify(
  serving: Serving,
  request: FastifyRequest,
  reply: FastifyReply,
  next: (error?: unknown) => void,
): void {
  let hijacked = false;
  const begin = () => {
    hijacked = true;
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      reply.raw.setHeader(name, value as string);
    }
  };
  serveNode({ ...serving, begin }, request.raw, reply.raw, (error) => {
    if (!hijacked || error === undefined) return next(error);
    // A hijacked reply accepts no error, and would never be answered.
    request.log?.error(error);
    answerError(serving, request.raw, reply.raw, error);
  });
}
