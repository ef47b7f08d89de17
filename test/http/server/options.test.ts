import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { after, before, describe, it } from "node:test";
import { createFileServer, type FileServerOptions, serveStatic } from "../../../src/http/mod.ts";
import { type RawResponse, requestText, responses, talk } from "../../_kit/raw_http.ts";
import { listen, stop } from "../../_kit/targets_net.ts";
import { makeSite } from "./_site.ts";

/** Options by purpose. */
const OPTIONS: Record<string, Partial<FileServerOptions>> = {
  "nothing": {},
  "cors": { cors: true },
  "cors of some": { cors: { origin: ["https://a.example"], credentials: true, maxAgeSeconds: 60 } },
  "an application": { spa: "dir/index.html", ignores: ["^/api"] },
  "sidecars": { precompressed: ["gzip", "br"] },
  "copies that stay": { maxAge: "1 year", immutable: true },
  "copies by hand": { cacheControl: "private, max-age=5" },
  "no copies": { cacheControl: false, etag: false, lastModified: false },
  "downloads": { download: true },
  "downloads under a name": { download: 'Naïve "file".txt' },
  "text without charset": { charset: false },
  "text of another charset": { charset: "iso-8859-1" },
  "types": { types: { bin: "video/x-mine", txt: "text/x-mine" } },
  "no ranges": { acceptRanges: false },
  "one range": { maxRanges: 1 },
  "extensions": { extensions: ["txt", "html"] },
  "hidden files": { dotfiles: "allow" },
  "no hidden files": { dotfiles: "deny" },
  "other indexes": { index: ["main.html", "ü.txt"] },
  "no index": { index: false },
  "a listing": { listing: true },
  "no redirect": { redirect: false },
  "headers": { headers: { "X-Robots-Tag": "noindex", "Content-Language": "de" } },
  "headers by path": {
    headers: [
      { path: "/*", headers: { "X-All": "1", "X-Robots-Tag": "all" } },
      { path: "/dir/", headers: { "X-Robots-Tag": "none" } },
      { path: "/:name", headers: { "Link": "</app.js>; rel=preload" } },
    ],
    notFound: "dir/index.html",
  },
  "redirects": {
    redirects: [
      { from: "/absent", to: "/dir/?x=1" },
      { from: "/api/*", to: "https://api.example/v1/:splat", status: 308 },
      { from: "/plain", to: "/file.txt", status: 302, force: true },
      { from: "/file", to: "/file.txt", status: 200 },
      { from: "/:any", to: "/dir/index.html", status: 404 },
      { from: "/file.txt", to: "/none" },
    ],
    listing: true,
    notFound: "none.html",
  },
  "one file": { only: "file.txt" },
  "no links": { symlinks: "deny" },
  "all links": { symlinks: "follow" },
};

const TARGETS = ["/file.txt", "/file", "/app.js", "/empty.txt", "/", "/dir", "/dir/"];
const OTHERS = [
  "/dir/deep/",
  "/plain/",
  "/absent",
  "/api/x",
  "/.hidden",
  "/link.txt",
  "/inner.txt",
];

type Ask = readonly [method: string, headers: Record<string, string>];
const ASKS: readonly Ask[] = [
  ["GET", {}],
  ["HEAD", {}],
  ["OPTIONS", { "Origin": "https://a.example", "Access-Control-Request-Method": "GET" }],
  ["POST", { "Content-Length": "0" }],
  ["GET", { "Range": "bytes=1-3", "Origin": "https://a.example" }],
  ["GET", { "Range": "bytes=0-0,-1" }],
  ["GET", { "Accept-Encoding": "br;q=0.5, gzip", "Origin": "https://b.example" }],
  ["GET", { "Accept": "application/json" }],
  ["GET", { "If-None-Match": "*", "Accept": "text/html" }],
  ["GET", { "If-Match": '"none"' }],
];

/** Of the connection, or random: nothing that the options decide. */
const OWN = ["date", "connection", "keep-alive", "transfer-encoding"];

function told({ body, headers, status }: RawResponse) {
  const boundary = /boundary=(.*)$/.exec(headers.get("content-type") ?? "")?.[1] ?? "\0";
  const fixed = (text: string) => text.replaceAll(boundary, "boundary");
  const fields = [...headers].filter(([name]) => !OWN.includes(name)).sort(([a], [b]) =>
    a < b ? -1 : 1
  );
  return {
    status,
    fields: fields.map(([name, value]) => `${name}: ${fixed(value)}`),
    body: body.length > 100_000 ? String(body.length) : fixed(body.toString("latin1")),
  };
}

/** Asks everything about one target, on one connection. */
async function askAll(port: number, target: string): Promise<RawResponse[]> {
  const text = ASKS.map(([method, headers], i) => {
    const last = i === ASKS.length - 1 ? { Connection: "close" } : {};
    return requestText(target, { ...headers, ...last }, method);
  });
  return responses(await talk(port, text.join("")), ASKS.map(([method]) => method));
}

describe("createFileServer() beside serveStatic()", () => {
  let site: ReturnType<typeof makeSite>;
  before(() => void (site = makeSite()));
  after(() => site.remove());

  for (const [name, options] of Object.entries(OPTIONS)) {
    it(`answers the same with ${name}`, async () => {
      const { root } = site;
      const server = createFileServer({ root, ...options });
      const handler = serveStatic(root, options as object);
      const other = createServer(handler as RequestListener);
      try {
        const [port, otherPort] = [(await server.listen()).port, await listen(other)];
        for (const target of [...TARGETS, ...OTHERS]) {
          const [ours, theirs] = await Promise.all([
            askAll(port, target),
            askAll(otherPort, target),
          ]);
          ASKS.forEach(([method, headers], i) => {
            const asked = `${method} ${target} ${JSON.stringify(headers)}`;
            assert.deepEqual(told(ours[i]!), told(theirs[i]!), asked);
          });
        }
      } finally {
        await server.close({ graceMs: 0 });
        await stop(other);
        handler.close();
      }
    });
  }
});
