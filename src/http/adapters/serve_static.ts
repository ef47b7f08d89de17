/** `serveStatic`: serves a folder from within a framework. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import { checkObject, describe } from "../../options.ts";
import { listingPage } from "../listing/page.ts";
import type { SiteOptions } from "../rules/options.ts";
import type { Coding } from "../rules/types.ts";
import { StaticRoot } from "../files/static_root.ts";
import { respondToFetch } from "./fetch.ts";
import { alreadySent, serveFastify, serveHono, serveKoa } from "./frameworks.ts";
import { serveNode } from "./node.ts";
import {
  type FastifyReply,
  type FastifyRequest,
  type HonoContext,
  isFastify,
  isFetch,
  isHono,
  isKoa,
  isNodeResponse,
  type KoaContext,
  nodeBindings,
} from "./shapes.ts";
import type { StaticOptions } from "./options.ts";

export type { FastifyReply, FastifyRequest, HonoContext, KoaContext };

/** Handler of {@linkcode serveStatic}, which fits all these servers. */
export interface StaticHandler {
  /** `node:http`, Express, Connect, Polka. */
  (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void;
  /** Koa, as middleware. */
  (context: KoaContext, next: () => Promise<unknown>): Promise<void>;
  /**
   * Fastify, as a handler or a hook. For TypeScript, write
   * `addHook("onRequest", (request, reply, done) => files(request, reply, done))`.
   */
  (request: FastifyRequest, reply: FastifyReply, done?: (error?: Error) => void): void;
  /** Hono, as middleware. */
  (context: HonoContext, next: () => Promise<void>): Promise<Response | undefined>;
  /**
   * `Bun.serve`, `Deno.serve` and other servers that map a request to a response. For Bun, see the
   * note at `fileResponse`.
   */
  (request: Request, ...rest: unknown[]): Promise<Response>;
  /** Closes the folder. Running downloads continue to their end. */
  close(): void;
}

/**
 * Serves the files of a folder from your own server.
 *
 * A drop-in replacement for `serve-static` (`express.static`) and, except for a few options, for
 * `sirv`. Plans responses like `planResponse`. The kernel keeps look-ups below the folder. Bytes
 * leave by sendfile(2) if `sendFile` can use it; small files leave together with their head. The
 * handler recognizes its caller by the arguments: `node:http`, Express, Connect, Koa, Fastify,
 * Hono, or a server with a `fetch` handler.
 *
 * Answers 404 to every target that is not the one spelling of a path (`//a`, `/a/../b`, `/a%2Fb`).
 * Other spellings can therefore not bypass a guard that your router puts in front of a path.
 *
 * @param root Path or `file:` URL of the folder; opened now, so it must exist. That is synchronous: if the
 * folder is on another machine (NFS, SMB) or on FUSE, the event loop waits for its answer, once. Later
 * calls, for files, are made by threads of the mount.
 * @param options What is served, and how.
 * @returns The handler.
 *
 * @throws {TypeError} When an argument or an option has the wrong type.
 * @throws {RangeError} When a numeric option is out of range.
 * @throws {SyscallError} `ENOENT`, `ENOTDIR`, `EACCES` for the folder.
 *
 * @example Express
 * ```ts ignore
 * app.use(serveStatic("public", { maxAge: "1d" }));
 * ```
 */
export function serveStatic(root: string | URL, options: StaticOptions = {}): StaticHandler {
  checkObject(options, "serve files");
  const { setHeaders, fallthrough = true, onNoMatch, symlinks, prefix, ...rest } = options;
  for (const [name, hook] of Object.entries({ setHeaders, onNoMatch })) {
    if (hook === undefined || typeof hook === "function") continue;
    throw new TypeError(`Cannot serve files: ${name} must be a function, not ${describe(hook)}`);
  }
  const site = new StaticRoot(root, siteOptions(rest), symlinks, prefix);
  const serving = { site, fallthrough: Boolean(fallthrough), setHeaders };
  const own = { ...serving, keepsStatus: true };

  // Declares three parameters, because Express takes a function with four for an error handler.
  const handle = (first: unknown, second: unknown, third?: unknown): unknown => {
    if (typeof first === "object" && first !== null) {
      if (isNodeResponse(second)) {
        const next = third ?? (onNoMatch && (() => onNoMatch(first as IncomingMessage, second)));
        return serveNode(own, first as IncomingMessage, second, next as never);
      }
      if (isFastify(second)) return toFastify(first as FastifyRequest, second, third as never);
      if (isKoa(first)) return toKoa(first, second as () => Promise<unknown>);
      if (isHono(first)) return toHono(first, second as () => Promise<void>);
      if (isFetch(first)) return respondToFetch(site, first);
    }
    throw new TypeError(`Cannot serve files: ${describe(first)} is not a known kind of request`);
  };

  const toFastify = (
    request: FastifyRequest,
    reply: FastifyReply,
    done?: (error?: Error) => void,
  ) =>
    serveFastify(serving, request, reply, (error) => {
      if (done !== undefined) return error === undefined ? done() : done(error as Error);
      return void (error === undefined ? reply.callNotFound() : reply.send(error));
    });

  const toKoa = async (context: KoaContext, next: () => Promise<unknown>) => {
    const { answered, error } = await serveKoa(serving, context);
    if (answered) return;
    if (error !== undefined) throw error;
    await next();
  };

  const toHono = async (context: HonoContext, next: () => Promise<void>) => {
    const bindings = nodeBindings(context);
    if (bindings === undefined) {
      const response = await respondToFetch(site, context.req.raw);
      if (!serving.fallthrough || ![400, 403, 404, 405].includes(response.status)) return response;
      return void await next();
    }
    const { answered, error } = await serveHono(serving, context, bindings);
    if (answered) return alreadySent();
    if (error !== undefined) throw error;
    return void await next();
  };

  return Object.assign(handle as Omit<StaticHandler, "close">, {
    close: () => site.root.close(),
  }) as StaticHandler;
}

type SiteChoices = Omit<
  StaticOptions,
  "fallthrough" | "onNoMatch" | "prefix" | "setHeaders" | "symlinks"
>;

/** Converts the options of `serve-static` and `sirv` to sluice's own. */
function siteOptions(
  { brotli, dev, dotfiles = "ignore", gzip, single, ...options }: SiteChoices,
): SiteOptions {
  const codings: Coding[] = [...brotli ? ["br" as const] : [], ...gzip ? ["gzip" as const] : []];
  return {
    ...options,
    ...(codings.length > 0 && options.precompressed === undefined && { precompressed: codings }),
    dotfiles: dotfiles === true ? "allow" : dotfiles === false ? "ignore" : dotfiles,
    ...(single !== undefined && { spa: single }),
    ...(dev && { cacheControl: options.etag === true ? "no-cache" : "no-store" }),
    ...(options.listing === true && { listing: listingPage }),
  };
}
