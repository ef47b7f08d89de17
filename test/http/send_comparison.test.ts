/** Side by side with `send`, by way of `serve-static`: the same, but where docs/http.md says why not. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { serveStatic, type StaticHandler, type StaticOptions } from "../../src/http/mod.ts";
import { fetchRaw, type RawResponse } from "../_kit/raw_http.ts";
import { listen, stop } from "../_kit/targets_net.ts";
import { MODIFIED, www } from "./_site.ts";

const require = createRequire(import.meta.url);
const original = require("serve-static") as typeof serveStatic;

const LATER = "Sun, 06 Nov 1994 08:49:38 GMT";
const EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT";
const FILE = "/file.txt";

interface Case {
  readonly options?: StaticOptions;
  readonly method?: string;
  readonly target?: string;
  /** `TAG` stands for what each of the two sends for the file; `STRONG` and `WEAK` for its forms. */
  readonly headers?: Record<string, string>;
  /** Their status and ours, where these differ. */
  readonly status?: readonly [theirs: number, ours: number];
  /** Heading of docs/http.md that gives the reason. */
  readonly reason?: string;
  /** Fields that differ although the status is the same; without a reason none may. */
  readonly fields?: readonly string[];
}

const CACHE = {
  reason: "A 304 carries what a cache needs",
  fields: ["accept-ranges", "last-modified"],
};
/** Fields of a refusal that differ: `send` describes the file, sluice describes its message. */
const REFUSAL = ["cache-control", "content-type", "last-modified"];
const ANSWERED = "What was found is answered";
const SPELLING = "One spelling of a path";

const CASES: Record<string, Case> = {
  "a file": {},
  "HEAD": { method: "HEAD" },
  "an empty file": { target: "/empty.txt" },
  "HTML": { target: "/page.html" },
  "JavaScript": { target: "/assets/app.js" },
  "an unknown type": { target: "/x.constructor" },
  "an index": { target: "/" },
  "a folder without a slash": {
    target: "/folder?a",
    reason: "A redirect is relative",
    fields: ["content-type", "content-length", "content-security-policy", "location"],
  },
  "a folder without an index": { target: "/bare/" },
  "nothing": { target: "/absent" },
  "a file with a slash": { target: "/file.txt/" },
  "POST": { method: "POST", headers: { "Content-Length": "0" } },
  "OPTIONS": { method: "OPTIONS" },
  "a hidden file": { target: "/.env" },
  "/.well-known": {
    target: "/.well-known/security.txt",
    status: [404, 200],
    reason: "/.well-known is not hidden",
  },
  "a folder without an index, for the error handler": {
    options: { index: false, fallthrough: false },
    target: "/bare/",
  },
  "POST, refused": {
    options: { fallthrough: false },
    method: "POST",
    headers: { "Content-Length": "0" },
    reason: "OPTIONS is answered",
    fields: ["allow"],
  },
  "OPTIONS, refused": {
    options: { fallthrough: false },
    method: "OPTIONS",
    status: [405, 204],
    reason: "OPTIONS is answered",
  },
  "an extension": { options: { extensions: ["htm", "html"] }, target: "/page" },
  "a second extension": { options: { extensions: ["css"] }, target: "/assets/two.css" },
  "a hidden file, denied": {
    options: { dotfiles: "deny", fallthrough: false },
    target: "/.hidden/none",
  },
  "a hidden file, allowed": { options: { dotfiles: "allow" }, target: "/.hidden/file" },
  "an age": { options: { maxAge: "30d", immutable: true } },
  "an age without end": { options: { maxAge: Infinity } },
  "without some fields": {
    options: { etag: false, lastModified: false, acceptRanges: false, cacheControl: false },
    headers: { Range: "bytes=0-1" },
  },
  "JSON": {
    target: "/assets/data.json",
    reason: "JSON has no charset",
    fields: ["content-type"],
  },
  "a bad escape": { target: "/%zz" },
  "NUL": { target: "/%00" },
  "dots that lead out": { target: "/../www/file.txt" },
  "dots": { target: "/folder/../file.txt", status: [200, 404], reason: SPELLING },
  "two slashes": { target: "//file.txt", status: [200, 404], reason: SPELLING },
  "an escaped slash": { target: "/folder%2findex.html", status: [200, 404], reason: SPELLING },
  "a link that leads out": {
    target: "/link",
    status: [200, 404],
    reason: "Links do not lead out of the root",
  },
  "a link that does not": { target: "/alias.txt" },
  "the first byte": { headers: { Range: "bytes=0-0" } },
  "the last bytes": { headers: { Range: "bytes=-5" } },
  "more last bytes than there are": {
    headers: { Range: "bytes=-999" },
    status: [416, 206],
    reason: "A suffix may be longer than the file",
  },
  "no last bytes": { headers: { Range: "bytes=-0" }, reason: ANSWERED, fields: REFUSAL },
  "bytes beyond the end": { headers: { Range: "bytes=20-" }, reason: ANSWERED, fields: REFUSAL },
  "bytes across the end": { headers: { Range: "bytes=5-999" } },
  "a reversed range": {
    headers: { Range: "bytes=5-2" },
    status: [416, 200],
    reason: "A malformed Range is ignored",
  },
  "a malformed range": { headers: { Range: "bytes=a-b" } },
  "another unit": { headers: { Range: "lines=0-1" } },
  "the unit in capitals": {
    headers: { Range: "BYTES=0-1" },
    status: [200, 206],
    reason: "Range units have no case",
  },
  "two ranges": {
    headers: { Range: "bytes=0-1,5-6" },
    status: [200, 206],
    reason: "Several ranges are several parts",
  },
  "two adjacent ranges": {
    headers: { Range: "bytes=0-1,2-3" },
    reason: "Several ranges are several parts",
    fields: ["content-type", "content-range", "content-length"],
  },
  "a range with HEAD": {
    method: "HEAD",
    headers: { Range: "bytes=0-1" },
    status: [206, 200],
    reason: "HEAD knows no ranges",
  },
  "a range of an empty file": {
    target: "/empty.txt",
    headers: { Range: "bytes=0-" },
    status: [416, 200],
    reason: "A malformed Range is ignored",
  },
  "If-Range with the tag": {
    headers: { Range: "bytes=0-0", "If-Range": "STRONG" },
    status: [200, 206],
    reason: "Tags are strong",
  },
  "If-Range with a weak tag": {
    headers: { Range: "bytes=0-0", "If-Range": "WEAK" },
    status: [206, 200],
    reason: "Tags are strong",
  },
  "If-Range with the date": { headers: { Range: "bytes=0-0", "If-Range": MODIFIED } },
  "If-Range with a later date": {
    headers: { Range: "bytes=0-0", "If-Range": LATER },
    status: [206, 200],
    reason: "If-Range needs the exact date",
  },
  "If-None-Match": { headers: { "If-None-Match": "TAG" }, ...CACHE },
  "If-None-Match, weak": { headers: { "If-None-Match": "WEAK" }, ...CACHE },
  "If-None-Match, any": { headers: { "If-None-Match": "*" }, ...CACHE },
  "If-None-Match, a list": { headers: { "If-None-Match": '"a", TAG' }, ...CACHE },
  "If-None-Match, another": { headers: { "If-None-Match": '"a"', "If-Modified-Since": LATER } },
  "If-Modified-Since": { headers: { "If-Modified-Since": MODIFIED }, ...CACHE },
  "If-Modified-Since, earlier": { headers: { "If-Modified-Since": EARLIER } },
  "If-Modified-Since, no HTTP date": {
    headers: { "If-Modified-Since": "2030-01-01" },
    status: [304, 200],
    reason: "Dates are HTTP dates",
  },
  "If-Modified-Since and no-cache": {
    headers: { "If-Modified-Since": MODIFIED, "Cache-Control": "no-cache" },
    status: [200, 304],
    reason: "Cache-Control of a request is for caches",
  },
  "If-Match": { headers: { "If-Match": "TAG" } },
  "If-Match, any": { headers: { "If-Match": "*" } },
  "If-Match, another": { headers: { "If-Match": '"a"' }, reason: ANSWERED, fields: REFUSAL },
  "If-Unmodified-Since, earlier": {
    headers: { "If-Unmodified-Since": EARLIER },
    reason: ANSWERED,
    fields: REFUSAL,
  },
  "If-Unmodified-Since, later": { headers: { "If-Unmodified-Since": LATER } },
  "If-Match and an earlier date": {
    headers: { "If-Match": "TAG", "If-Unmodified-Since": EARLIER },
  },
};

/** Fields that differ between any two servers. */
const OWN: ReadonlySet<string> = new Set(["date", "etag", "connection"]);

describe("serveStatic() beside serve-static", () => {
  const documented = readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8");
  interface Pair {
    readonly handlers: readonly StaticHandler[];
    readonly servers: readonly { server: Server; port: number; tag: string }[];
  }
  /** By options. */
  const pairs = new Map<string, Pair>();

  const start = async (options: StaticOptions): Promise<Pair> => {
    const handlers = [original(www, options), serveStatic(www, options)];
    const servers = [];
    for (const handler of handlers) {
      const server = createServer((req, res) =>
        handler(req, res, (error) => {
          res.statusCode = (error as { status?: number } | undefined)?.status ?? 404;
          res.setHeader("Content-Length", "0");
          res.end();
        })
      );
      const port = await listen(server);
      const tag = (await fetchRaw(port, FILE)).headers.get("etag") ?? "";
      servers.push({ server, port, tag });
    }
    return { handlers, servers };
  };

  before(async () => {
    for (const { options = {} } of Object.values(CASES)) {
      const key = inspect(options);
      if (!pairs.has(key)) pairs.set(key, await start(options));
    }
  });
  after(async () => {
    for (const { handlers, servers } of pairs.values()) {
      for (const { server } of servers) await stop(server);
      handlers[1]!.close();
    }
  });

  const ask = async (
    { options = {}, target = FILE, method = "GET", headers = {} }: Case,
  ): Promise<RawResponse[]> =>
    await Promise.all(pairs.get(inspect(options))!.servers.map(({ port, tag }) => {
      const strong = tag.replace("W/", "");
      const filled = Object.entries(headers).map(([name, value]) => [
        name,
        value.replace("TAG", tag).replace("STRONG", strong).replace("WEAK", `W/${strong}`),
      ]);
      return fetchRaw(port, target, Object.fromEntries(filled), method);
    }));

  for (const [name, one] of Object.entries(CASES)) {
    const { status, reason, fields = [] } = one;
    it(`${reason === undefined ? "does the same" : "does better"}: ${name}`, async () => {
      const [a, b] = await ask(one) as [RawResponse, RawResponse];
      if (reason !== undefined) assert.ok(documented.includes(`### ${reason}\n`), reason);
      assert.deepEqual([a.status, b.status], status ?? [a.status, a.status]);
      if (status !== undefined) return;
      const names = new Set([...a.headers.keys(), ...b.headers.keys()]);
      const different = [...names].filter((name) =>
        OWN.has(name)
          ? a.headers.has(name) !== b.headers.has(name)
          : a.headers.get(name) !== b.headers.get(name)
      );
      assert.deepEqual(different.sort(), [...fields].sort());
      if (reason === undefined) assert.deepEqual(a.body, b.body);
    });
  }
});
