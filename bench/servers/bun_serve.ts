/** Bun's own way, `Bun.serve` with a `Bun.file`: `bun_serve.ts FOLDER [CERT KEY]`. @module */

import process from "node:process";
import { announce, fileOf } from "./harness.ts";

interface Bun {
  file(path: string): Blob;
  serve(options: {
    hostname: string;
    port: number;
    tls?: { cert: Blob; key: Blob };
    fetch(request: { url: string }): unknown;
  }): { port: number };
}
const { Bun } = globalThis as unknown as { Bun: Bun };
const { Response } = globalThis as unknown as { Response: new (body: Blob) => unknown };

const [, , , cert, key] = process.argv;
const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  ...key !== undefined && { tls: { cert: Bun.file(cert!), key: Bun.file(key) } },
  fetch: ({ url }) => new Response(Bun.file(fileOf(url))),
});
announce(port);
