/** Bun's own way: `Bun.serve` with a `Bun.file` as the body. @module */

import { announce, fileOf } from "./harness.ts";

interface Bun {
  file(path: string): Blob;
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: { url: string }): unknown;
  }): { port: number };
}
const { Bun } = globalThis as unknown as { Bun: Bun };
const { Response } = globalThis as unknown as { Response: new (body: Blob) => unknown };

const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: ({ url }) => new Response(Bun.file(fileOf(url))),
});
announce(port);
