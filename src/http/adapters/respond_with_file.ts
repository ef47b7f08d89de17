/** `respondWithFile`: one file as the answer to one request. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { checkObject, describe } from "../../options.ts";
import { type FileResponseOptions, OneFile } from "../files/one_file.ts";
import { planRequestOf, toResponse } from "./fetch.ts";
import {
  alreadySent,
  type Outcome,
  serveFastify,
  serveHono,
  serveKoa,
  serveRequest,
} from "./frameworks.ts";
import { httpError, type Serving } from "./node.ts";
import { assertUnsent } from "./respond.ts";
import {
  type FastifyReply,
  type FastifyRequest,
  type HonoContext,
  isFastify,
  isHono,
  isKoa,
  isNodeResponse,
  type KoaContext,
  nodeBindings,
} from "./shapes.ts";

const ACTION = "respond with a file";

/** What {@linkcode respondWithFile} has sent. */
export interface FileSent {
  /** Status of the response, such as 200, 206 or 304. */
  readonly status: number;
  /** Whether the whole response was handed to the kernel or the runtime; false if the client left. */
  readonly complete: boolean;
}

/**
 * Answers one request with one file: `res.sendFile` and `res.download` of Express, for
 * `node:http`, `node:http2`, Express, Connect, Koa, Fastify and Hono, by sendfile(2) if possible.
 *
 * Plans the response like `planResponse`, with ranges, conditions and HEAD, and answers 206, 304,
 * 412, 416 and 405 itself. Header fields and a status that you have set before are kept, as in
 * `serveStatic`. `download: true` makes browsers save the file, `download: "name"` under that name.
 *
 * If the file cannot be sent and nothing has been sent, it rejects and leaves the response to you
 * or to the framework's error handler. The error has `status` (404 if the file is missing or
 * outside `root`, 403 without permission, 503 without free descriptors, else 500), `expose`, `code`
 * such as `"ENOENT"`, and a message that does not name the path; `cause` names it. If the file
 * fails later, the connection is cut, because the client could not tell the rest, and the promise
 * rejects as well: check `res.headersSent`.
 *
 * The twin for `fetch` handlers is `fileResponse`. To serve a whole folder, use `serveStatic`.
 *
 * @param req The request: of `node:http`, Express, or Fastify.
 * @param res The response, or Fastify's reply.
 * @param path Path or `file:` URL of the file. Never take it from a request without `root`. Below
 * `root`, leading slashes are ignored.
 * @param options Options for the response.
 * @returns What was sent, once the kernel or the runtime has taken the last byte. It does not
 * reject if the client leaves.
 *
 * @throws {TypeError} When an argument or an option has the wrong type, or something else has begun to
 * answer the request.
 * @throws {RangeError} When a numeric option is out of range.
 * @throws {TruncatedError} When the file was truncated meanwhile.
 *
 * @example `node:http`: a video in which the browser can seek
 * ```ts ignore
 * createServer((req, res) => {
 *   respondWithFile(req, res, "video.mp4").catch((error) => {
 *     if (!res.headersSent) res.writeHead(error.status ?? 500).end();
 *   });
 * });
 * ```
 *
 * @example Express
 * ```ts ignore
 * app.get("/files/:name", (req, res, next) => {
 *   respondWithFile(req, res, req.params.name, { root: "files", download: true }).catch(next);
 * });
 * ```
 *
 * @example Koa, Fastify and Hono
 * ```ts ignore
 * koa.use((context) => respondWithFile(context, "video.mp4"));
 * fastify.get("/video", (request, reply) => respondWithFile(request, reply, "video.mp4"));
 * hono.get("/video", (context) => respondWithFile(context, "video.mp4"));
 * ```
 */
export function respondWithFile(
  req: IncomingMessage | Http2ServerRequest,
  res: ServerResponse | Http2ServerResponse,
  path: string | URL,
  options?: FileResponseOptions,
): Promise<FileSent>;
/** In Fastify, as the result of an async handler. */
export function respondWithFile(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string | URL,
  options?: FileResponseOptions,
): Promise<FileSent>;
/** In Koa. */
export function respondWithFile(
  context: KoaContext,
  path: string | URL,
  options?: FileResponseOptions,
): Promise<FileSent>;
/** In Hono: return what it resolves to. Without Node.js, as `fileResponse`. */
export function respondWithFile(
  context: HonoContext,
  path: string | URL,
  options?: FileResponseOptions,
): Promise<Response>;
export async function respondWithFile(
  first: unknown,
  second: unknown,
  third?: unknown,
  fourth?: unknown,
): Promise<FileSent | Response> {
  const inContext = typeof second === "string" || second instanceof URL;
  const [path, options] = inContext ? [second, third] : [third, fourth];
  if (options !== undefined) checkObject(options, "respond with a file");
  const file = new OneFile(path as string | URL, options as FileResponseOptions);
  const serving: Serving = { site: file, fallthrough: false, setHeaders: undefined };
  if (typeof first === "object" && first !== null) {
    if (inContext && isKoa(first)) {
      assertUnsent(first.res, ACTION);
      return sent(file, first.res, await serveKoa(serving, first));
    }
    if (inContext && isHono(first)) return await toHono(file, serving, first);
    if (isFastify(second)) {
      assertUnsent(second.raw, ACTION);
      return sent(file, second.raw, await toFastify(serving, first as FastifyRequest, second));
    }
    if (isNodeResponse(second)) {
      assertUnsent(second, ACTION);
      const kept = { ...serving, keepsStatus: true };
      return sent(file, second, await serveRequest(kept, first as IncomingMessage, second));
    }
  }
  throw new TypeError(
    `Cannot respond with a file: ${
      describe(inContext ? first : second)
    } is not a known kind of response`,
  );
}

function toFastify(
  serving: Serving,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const end = (complete: boolean, error?: unknown) =>
      resolve({ answered: true, complete, error });
    serveFastify({ ...serving, end }, request, reply, (error) => {
      resolve({ answered: false, complete: false, error });
    });
  });
}

async function toHono(file: OneFile, serving: Serving, context: HonoContext): Promise<Response> {
  const bindings = nodeBindings(context);
  if (bindings === undefined) {
    const answer = await file.find(planRequestOf(context.req.raw));
    if (answer.kind === "file") return await toResponse(answer.plan, answer.file);
    const { headers, status } = answer.plan;
    if (status < 400 || status === 405) return await toResponse(answer.plan, undefined);
    throw named(file, httpError(status, headers));
  }
  assertUnsent(bindings.outgoing, ACTION);
  const outcome = await serveHono(serving, context, bindings);
  if (!outcome.answered) throw named(file, outcome.error);
  // Hono would answer an error again. The connection has been cut.
  return alreadySent();
}

function sent(file: OneFile, res: ServerResponse, { complete, error }: Outcome): FileSent {
  if (error !== undefined) throw named(file, error);
  return { status: res.statusCode, complete };
}

/** Adds the reason to an error that only has a status. */
function named(file: OneFile, error: unknown): unknown {
  const { status, code } = error as { status?: number; code?: string };
  if (status === undefined || code !== undefined) return error;
  const cause = file.failure();
  const reason = cause?.code ?? (status === 404 ? "ENOENT" : undefined);
  return Object.assign(error as Error, { ...reason && { code: reason }, ...cause && { cause } });
}
