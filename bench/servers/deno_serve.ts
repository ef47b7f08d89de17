/** Deno's own way: `Deno.serve` with the stream of a file: `deno_serve.ts FOLDER [CERT KEY]`. @module */

import { readFileSync } from "node:fs";
import process from "node:process";
import { announce, fileOf } from "./harness.ts";

interface Deno {
  open(path: string): Promise<{ readonly readable: unknown; stat(): Promise<{ size: number }> }>;
  serve(
    options: { hostname: string; port: number; cert?: string; key?: string; onListen(): void },
    handler: (request: { url: string }) => unknown,
  ): { readonly addr: { readonly port: number } };
}
const { Deno } = globalThis as unknown as { Deno: Deno };
const { Response } = globalThis as unknown as {
  Response: new (body: unknown, init: { headers: Record<string, string> }) => unknown;
};

const [, , , cert, key] = process.argv;
const pair = cert !== undefined && key !== undefined &&
  { cert: readFileSync(cert, "utf8"), key: readFileSync(key!, "utf8") };
const { addr } = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {}, ...pair },
  async ({ url }) => {
    const file = await Deno.open(fileOf(url));
    const { size } = await file.stat();
    return new Response(file.readable, { headers: { "Content-Length": String(size) } });
  },
);
announce(addr.port);
