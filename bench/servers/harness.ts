/** Common code of the benchmark servers: `SERVER.ts FOLDER`. @module */

import { statSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { basename, join } from "node:path";
import process from "node:process";

/** Returns the path of the requested file. */
export function fileOf(url: string): string {
  return join(process.argv[2]!, basename(url));
}

/** Prints the port, and ends the process when the benchmark ends. */
export function announce(port: number): void {
  console.log(JSON.stringify({ port }));
  process.stdin.on("end", () => process.exit()).resume();
}

/** Starts a server of `node:http` or `node:net`. */
export function listen(server: Server): void {
  server.listen(0, "127.0.0.1", () => announce((server.address() as { port: number }).port));
}

/** Serves `count` connections at a time, then closes them. */
export function inGroups(count: number, serve: (sockets: Socket[]) => Promise<void>): void {
  let waiting: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", ignoreGone).resume();
    waiting.push(socket);
    if (waiting.length < count) return;
    const group = waiting;
    waiting = [];
    serve(group).finally(() => group.forEach((each) => each.end()));
  });
  listen(server);
}

/** Errors of a send after the client has disconnected. */
const GONE: readonly unknown[] = ["EPIPE", "ECONNRESET", "ECANCELED"];

/** Ignores errors of disconnected clients, and prints all others. */
export function ignoreGone(error: Error & { code?: string }): void {
  if (!GONE.includes(error.code)) console.error(String(error));
}

/** Answer to a GET request that arrived in one piece, for servers without an HTTP parser. */
export interface Answer {
  readonly path: string;
  readonly size: number;
  readonly header: Uint8Array;
  /** Whether to close the connection after this answer. */
  readonly last: boolean;
}

/** Answers a request with a file. */
export function answer(request: Uint8Array): Answer {
  const text = new TextDecoder().decode(request);
  const path = fileOf(text.split(" ", 2)[1]!);
  const { size } = statSync(path);
  const last = /\r\nconnection: close\r\n/i.test(text);
  const connection = last ? "close" : "keep-alive";
  const header = new TextEncoder().encode(
    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n" +
      `Connection: ${connection}\r\nContent-Length: ${size}\r\n\r\n`,
  );
  return { path, size, header, last };
}
