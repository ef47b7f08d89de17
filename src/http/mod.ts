/**
 * Serves files over HTTP: ranges, conditions, precompressed files, and a root that no path can
 * leave.
 *
 * ```ts ignore
 * import express from "express";
 * import { serveStatic } from "sluice/http";
 *
 * express().use(serveStatic("public", { maxAge: "1d" })).listen(8080);
 * ```
 *
 * {@linkcode serveStatic} works in `node:http`, Express, Connect, Koa, Fastify, Hono and servers
 * with a `fetch` handler. {@linkcode respondWithFile} answers one request with one file,
 * {@linkcode fileResponse} a `fetch` request. {@linkcode createFileServer} is a complete server in
 * threads of its own. {@linkcode planResponse} only decides the response, and {@linkcode sendPlan}
 * carries it out; build your own adapters on them.
 *
 * @module
 */

export { fileResponse, type FileResponseOptions } from "./adapters/file_response.ts";
export { type FileSent, respondWithFile } from "./adapters/respond_with_file.ts";
export {
  type FastifyReply,
  type FastifyRequest,
  type HonoContext,
  type KoaContext,
  serveStatic,
  type StaticHandler,
} from "./adapters/serve_static.ts";
export { sendPlan } from "./adapters/send_plan.ts";
export type { StaticFile, StaticOptions } from "./adapters/options.ts";
export type { Symlinks } from "./files/open_root.ts";
export type {
  Coding,
  FilePart,
  Headers,
  Part,
  Plan,
  PlanFile,
  PlanRequest,
} from "./rules/types.ts";
export type { Listing, ListingEntry, ListingSort } from "./rules/listing.ts";
export type { HeaderRule } from "./rules/by_path/header_rules.ts";
export type { RedirectRule } from "./rules/by_path/redirects.ts";
export type {
  CorsOptions,
  HeadersHook,
  LookupOptions,
  PlanOptions,
  SiteOptions,
} from "./rules/options.ts";
export { prometheus, type PrometheusOptions } from "./prometheus.ts";
export type { RelayStats } from "../move/relay/server/stats.ts";
export { planResponse } from "./rules/plan.ts";
export type { Dotfiles } from "./rules/target.ts";
export {
  type CloseOptions,
  createFileServer,
  type FileServer,
  type ServerAddress,
} from "./server/control/file_server.ts";
export type { ArchiveOptions } from "./archive/options.ts";
export type { UploadOptions } from "./upload/rules.ts";
export type { AuthOptions } from "./server/auth/options.ts";
export type { RequestEvent } from "./server/thread/log_format.ts";
export type { CacheOptions, ServerLimits } from "./server/control/limits.ts";
export type { FileServerOptions } from "./server/control/options.ts";
export type {
  FolderOptions,
  HostOptions,
  Hosts,
  MountOptions,
  Mounts,
} from "./server/sites/options.ts";
export type { LogOptions } from "./server/thread/log_options.ts";
export type { Endpoint, FallbackOptions, Forwarding } from "./server/proxy/options.ts";
export type { FallbackTlsOptions } from "./server/proxy/tls/options.ts";
export type { FileServerStats, TlsStats } from "./server/control/stats.ts";
export { CertificateError, type CertificateErrorOptions } from "../tls/errors.ts";
export type { HstsOptions, PemSource, TlsCertificate, TlsOptions } from "../tls/options.ts";
