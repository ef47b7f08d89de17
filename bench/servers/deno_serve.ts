/** Deno's own way: `Deno.serve` with the stream of a file as the body. @module */

import { announce, fileOf } from "./harness.ts";

interface Deno {
  open(path: string): Promise<{ readonly readable: unknown; stat(): Promise<{ size: number }> }>;
  serve(
    options: { hostname: string; port: number; onListen(): void },
    handler: (request: { url: string }) => unknown,
  ): { readonly addr: { readonly port: number } };
}
const { Deno } = globalThis as unknown as { Deno: Deno };
const { Response } = globalThis as unknown as {
  Response: new (body: unknown, init: { headers: Record<string, string> }) => unknown;
};

const { addr } = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  async ({ url }) => {
    const file = await Deno.open(fileOf(url));
    const { size } = await file.stat();
    return new Response(file.readable, { headers: { "Content-Length": String(size) } });
  },
);
announce(addr.port);
