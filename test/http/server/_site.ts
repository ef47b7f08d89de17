/** A folder with everything that a server can trip over, and a server for it. @module */

import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { createFileServer, type FileServer } from "../../../src/http/server/control/file_server.ts";
import type { FileServerOptions } from "../../../src/http/server/control/options.ts";
import { fetchRaw, type RawResponse, responses, talk } from "../../_kit/raw_http.ts";

/** Content outside the root, which must never be served. */
export const SECRET = "the secret outside of the root";

/** The 20 bytes of the file on which ranges are tried. */
export const TWENTY = "0123456789ABCDEFGHIJ";

/** Larger than the cache's limit for a file, and than a socket's buffer. */
export const LARGE_BYTES: number = 9 * 1024 * 1024 + 13;

/** Bytes of a pattern that no shift leaves the same. */
export function patterned(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16) + seed) & 0xff;
  return bytes;
}

/** Made once: many tests have a folder of their own. */
let large: Uint8Array | undefined;

/** A new folder, with `root` and a secret file beside it. */
export function makeSite(): { readonly root: string; readonly parent: string; remove(): void } {
  const parent = mkdtempSync(join(tmpdir(), "sluice-"));
  const root = join(parent, "www");
  mkdirSync(join(root, "dir", "deep"), { recursive: true });
  mkdirSync(join(root, "plain"));
  mkdirSync(join(parent, "www-secret"));
  mkdirSync(join(parent, "outside"));
  const write = (name: string, content: string | Uint8Array) =>
    writeFileSync(join(parent, name), content);
  for (const name of ["outside/x", "outside.txt", "www-secret/x", "www/.hidden"]) {
    write(name, SECRET);
  }
  write("www/file.txt", TWENTY);
  write("www/empty.txt", "");
  write("www/a%20b.txt", "a percent sign in its name");
  write("www/a b.txt", "a space in its name");
  write("www/dir/index.html", "<h1>dir</h1>");
  write("www/dir/deep/ü.txt", "deep");
  write("www/plain/<img src=x onerror=1>.txt", "x");
  write("www/plain/a:b", "x");
  write("www/app.js", "let plain;".repeat(100));
  write("www/app.js.br", "br");
  write("www/app.js.gz", "gzip");
  write("www/large.bin", large ??= patterned(LARGE_BYTES));
  write("www/sparse", "");
  truncateSync(join(root, "sparse"), 5 * 2 ** 30);
  symlinkSync("../outside.txt", join(root, "link.txt"));
  symlinkSync("../outside", join(root, "linked"));
  symlinkSync("/etc", join(root, "etc"));
  symlinkSync("file.txt", join(root, "inner.txt"));
  utimesSync(join(root, "file.txt"), 1_700_000_000, 1_700_000_000);
  return { root, parent, remove: () => rmSync(parent, { recursive: true, force: true }) };
}

/** Shared state of a suite. */
export interface Served {
  readonly root: string;
  readonly server: FileServer;
  readonly port: number;
  /** One request on a connection of its own. */
  get(target: string, headers?: Record<string, string>, method?: string): Promise<RawResponse>;
  /** Sends text as it is, and returns everything that comes back before the connection ends. */
  talk(text: string): Promise<string>;
  /** As `talk`, and takes the responses to requests with these methods apart. */
  exchange(text: string, methods: readonly string[]): Promise<RawResponse[]>;
}

/** Serves a folder of its own during a suite. */
export function serveSite(options: Partial<FileServerOptions> = {}): Served {
  let site: ReturnType<typeof makeSite>;
  let server: FileServer;
  let port = 0;
  before(async () => {
    site = makeSite();
    server = createFileServer({ root: site.root, ...options });
    ({ port } = await server.listen());
  });
  after(async () => {
    await server.close({ graceMs: 0 });
    site.remove();
  });
  return {
    get root() {
      return site.root;
    },
    get server() {
      return server;
    },
    get port() {
      return port;
    },
    get: (target, headers, method) => fetchRaw(port, target, headers, method),
    talk: async (text) => (await talk(port, text)).toString("latin1"),
    exchange: async (text, methods) => responses(await talk(port, text), methods),
  };
}
