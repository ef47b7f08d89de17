/** A server in front of a scripted program, and its clients. Everything ends with the test. */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type FallbackOptions } from "../../../../src/http/mod.ts";
import type { FileServerOptions } from "../../../../src/http/server/control/options.ts";
import { talk } from "../../../_kit/raw_http.ts";
import { type Program, type Script, startProgram } from "../_program.ts";
import { makeSite } from "../_site.ts";

/** An answer of the program. */
export const HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

/** Clean-up after each test. */
export const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

/** A server before a program that runs `script`. */
export async function start(
  script: Script,
  fallback: Partial<FallbackOptions> = {},
  options: Partial<FileServerOptions> = {},
): Promise<{ port: number; program: Program; server: ReturnType<typeof createFileServer> }> {
  const program = await startProgram(script);
  cleanUp.push(() => program.close());
  const site = makeSite();
  cleanUp.push(() => site.remove());
  const to = `127.0.0.1:${program.port}`;
  const server = createFileServer({ root: site.root, fallback: { to, ...fallback }, ...options });
  cleanUp.push(() => server.close({ graceMs: 0 }));
  const { port } = await server.listen();
  return { port, program, server };
}

/** Sends a request, and returns all that comes. */
export async function text(port: number, request: string): Promise<string> {
  return (await talk(port, request)).toString("latin1");
}

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++, await sleep(10)) if (holds()) return;
  assert.fail(what);
}

/** A connection that collects received bytes. */
export function open(port: number): { socket: Socket; received: () => string } {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let received = "";
  socket.on("data", (chunk: Buffer) => received += chunk.toString("latin1"));
  socket.on("error", () => {});
  cleanUp.push(() => socket.destroy());
  return { socket, received: () => received };
}
