/** Serves through `node:http`, which shows the socket's descriptor on Node.js and Deno. @module */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { sendFile } from "../../src/mod.ts";
import type { Answer } from "./answer.ts";
import { exchange, IDLE_MS, type Sent, type Service } from "./exchange.ts";
import type { Request } from "./answer.ts";

/** Creates a server that does not listen yet. */
export function httpServer(service: Service): Server {
  const turns = new WeakMap<Socket, Promise<void>>();
  const server = createServer((req, res) => {
    // A client may pipeline many requests. Each look-up starts after the previous answer, so that a
    // connection has one file open at a time.
    turns.set(req.socket, serve(service, req, res, turns.get(req.socket)));
  });
  return server.setTimeout(IDLE_MS);
}

async function serve(
  service: Service,
  req: IncomingMessage,
  res: ServerResponse,
  before: Promise<void> | undefined,
): Promise<void> {
  const closed = new Promise((resolve) => res.once("close", resolve));
  await before;
  if (req.socket.destroyed) return;
  if (service.stopping) res.setHeader("Connection", "close");
  await exchange(service, requestOf(req), (answer) => send(res, answer));
  await closed;
}

function requestOf({ method = "", url = "", headers }: IncomingMessage): Request {
  // Only Set-Cookie, which requests do not have, is an array.
  return { method, target: url, header: (name) => headers[name] as string | undefined };
}

async function send(res: ServerResponse, { status, headers, body }: Answer): Promise<Sent> {
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  try {
    if (typeof body === "object") {
      const { handle, ...range } = body;
      return await sendFile(res, handle, range);
    }
    await new Promise<void>((resolve, reject) => {
      res.once("close", () => reject(new Error("closed by the client")));
      res.end(body, resolve);
    });
    return { bytes: Buffer.byteLength(body), method: body === "" ? "none" : "copy" };
  } catch (error) {
    res.destroy();
    throw error;
  }
}
