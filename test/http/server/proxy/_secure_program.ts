/** A program that speaks TLS: records received bytes, requested names, and how connections end. @module */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createSecureServer, type TLSSocket } from "node:tls";
import { readFileSync } from "node:fs";
import type { Program, Script } from "../_program.ts";

/** A program that speaks TLS. */
export interface SecureProgram extends Program {
  /** Names that connections have asked for (SNI), and protocols that they got (ALPN). */
  readonly asked: { readonly name: unknown; readonly protocol: unknown }[];
}

/** Starts a program with this certificate. */
export async function startSecureProgram(
  script: Script,
  { cert, key }: { readonly cert: string; readonly key: string },
): Promise<SecureProgram> {
  const requests: string[] = [];
  const asked: SecureProgram["asked"] = [];
  const open = new Set<Socket>();
  const pair = { cert: readFileSync(cert), key: readFileSync(key) };
  const options = { ...pair, ALPNProtocols: ["h2", "http/1.1"] };
  const server = createSecureServer(options, (socket: TLSSocket & { servername?: unknown }) => {
    const index = requests.push("") - 1;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    asked.push({ name: socket.servername || null, protocol: socket.alpnProtocol });
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      requests[index] += chunk.toString("latin1");
      script(socket, requests[index]!);
    });
  });
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, requests, asked, open, close: () => ended(server, open) };
}

async function ended(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}

/**
 * Something on the way to a program: once it has passed `bytes` of what the program sends, it ends the
 * connection as an attacker would: in TCP, without a word in TLS.
 */
export async function startCutter(program: number, bytes: number): Promise<Program> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(program, "127.0.0.1");
    let left = bytes;
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
      socket.on("error", () => {});
    }
    client.on("data", (chunk: Uint8Array) => void upstream.write(chunk));
    upstream.on("data", (chunk: Uint8Array) => {
      if (left <= 0) return;
      client.write(chunk);
      left -= chunk.length;
      if (left <= 0) client.end();
    });
    client.on("close", () => upstream.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, requests: [], open, close: () => ended(server, open) };
}
