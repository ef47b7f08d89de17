/** Bun's own way to serve a folder: a route with `dir`. @module */

import process from "node:process";
import { announce } from "./harness.ts";

interface Bun {
  serve(options: {
    hostname: string;
    port: number;
    routes: Record<string, { readonly dir: string }>;
  }): { port: number };
}
const { Bun } = globalThis as unknown as { Bun: Bun };

const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: { "/*": { dir: process.argv[2]! } },
});
announce(port);
