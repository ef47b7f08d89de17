/** A folder with something to lose beside it. @module */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { serveStatic, type StaticOptions } from "../../src/http/mod.ts";
import { noise } from "../_kit/bytes.ts";
import { fetchRaw, type RawResponse } from "../_kit/raw_http.ts";
import { withServer } from "../_kit/serve.ts";

/** Content that must never be served. */
export const SECRET = "the sentinel outside the root";

const base = mkdtempSync(join(tmpdir(), "sluice-site-"));
after(() => rmSync(base, { recursive: true, force: true }));

/** The folder that is served. */
export const www: string = join(base, "www");

/** Twenty bytes, all different. */
export const TWENTY = "0123456789ABCDEFGHIJ";

/** Bytes of `big.bin`. */
export const big: Buffer = noise(3 * 1024 * 1024 + 7, 5);

for (const folder of ["folder", "bare", "assets", ".hidden", ".well-known"]) {
  mkdirSync(join(www, folder), { recursive: true });
}
const FILES: Record<string, string | Uint8Array> = {
  "index.html": "the index",
  "file.txt": TWENTY,
  "empty.txt": "",
  "page.html": "<p>page",
  "a b&c.txt": "odd name",
  "a%20b.txt": "percent",
  "x.constructor": "octets",
  ".env": "PASSWORD=1",
  ".hidden/file": "hidden",
  ".well-known/security.txt": "known",
  "folder/index.html": "index of the folder",
  "bare/one.txt": "1",
  "bare/<img src=x onerror=alert(1)>": "xss",
  "assets/app.js": "the script itself",
  "assets/app.js.br": "brotli",
  "assets/app.js.zst": "zstd!",
  "assets/app.js.gz": "gz",
  "assets/old.css": "newer than its sidecar",
  "assets/old.css.gz": "stale",
  "assets/data.json": "{}",
  "assets/one.two.css": "two dots",
  "assets/two.css.css": "two extensions",
  "assets/.one.css": "hidden css",
  "assets/trap.css": "with sidecars that are none",
  "big.bin": big,
};
for (const [name, content] of Object.entries(FILES)) writeFileSync(join(www, name), content);
utimesSync(join(www, "assets/old.css.gz"), 1_000_000, 1_000_000);
utimesSync(join(www, "file.txt"), 784_111_777, 784_111_777);
mkdirSync(join(www, "assets/trap.css.br"));
execFileSync("mkfifo", [join(www, "fifo"), join(www, "assets/trap.css.zst")]);
writeFileSync(join(base, "OUTSIDE"), SECRET);
mkdirSync(join(base, "www-secret"));
writeFileSync(join(base, "www-secret/x"), SECRET);
symlinkSync("../OUTSIDE", join(www, "link"));
symlinkSync("/etc", join(www, "etclink"));
symlinkSync("..", join(www, "above"));
symlinkSync("file.txt", join(www, "alias.txt"));
symlinkSync("../../OUTSIDE", join(www, "assets/trap.css.gz"));

/** When `file.txt` was modified. */
export const MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT";

/** Runs `body` with a function that asks a server for something below {@linkcode www}. */
export async function withSite<T>(
  options: StaticOptions,
  body: (
    get: (
      target: string,
      headers?: Record<string, string>,
      method?: string,
    ) => Promise<RawResponse>,
    port: number,
  ) => Promise<T>,
): Promise<T> {
  const handler = serveStatic(www, options);
  const server = createServer();
  try {
    return await withServer(
      (req, res) => handler(req, res),
      async (port) =>
        await body(async (target, headers, method) => {
          const response = await fetchRaw(port, target, headers, method);
          assert.ok(!response.body.includes(SECRET), `${target} leads out of the root`);
          return response;
        }, port),
      server,
    );
  } finally {
    handler.close();
  }
}
