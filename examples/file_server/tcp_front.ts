/** Serves through `node:net` on Bun, where `node:http` hides the socket's descriptor. @module */

import { STATUS_CODES } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { sendFile } from "../../src/mod.ts";
import { type Answer, message } from "./answer.ts";
import { exchange, IDLE_MS, type Sent, type Service } from "./exchange.ts";
import { readHeads } from "./request_head.ts";

/** Time for the client to read the last answer and close, in milliseconds. */
const LINGER_MS = 2000;

/** Creates a server that does not listen yet. */
export function tcpServer(service: Service): Server {
  // Half-open: a client may close its side after the request.
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => {}); // readers and writers get the error, too
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    converse(service, socket).catch(() => {}).finally(() => socket.destroy());
  });
}

async function converse(service: Service, socket: Socket): Promise<void> {
  // `for await` would destroy the socket at its end.
  const chunks: AsyncIterator<Uint8Array> = socket[Symbol.asyncIterator]();
  for await (const head of readHeads(chunks, () => socket.destroy())) {
    if (typeof head === "number") {
      await send(socket, message(head), false);
      break;
    }
    const keepAlive = head.keepAlive && !service.stopping;
    await exchange(service, head, (answer) => send(socket, answer, keepAlive));
    if (!keepAlive || socket.destroyed) break;
  }
  socket.end();
  // Reads and drops what still arrives. Closing with unread bytes would reset the connection and
  // cut the answer.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  try {
    while (!(await chunks.next()).done);
  } finally {
    clearTimeout(timer);
  }
}

async function send(socket: Socket, answer: Answer, keepAlive: boolean): Promise<Sent> {
  const { status, headers, body } = answer;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Date: ${new Date().toUTCString()}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Connection: ${keepAlive ? "keep-alive" : "close"}`,
  ];
  const head = `${lines.join("\r\n")}\r\n\r\n`;
  // On Bun, the socket's own timer stands still while a write waits for the client.
  const stalled = setTimeout(() => socket.destroy(), IDLE_MS);
  const onProgress = () => stalled.refresh();
  try {
    if (typeof body === "object") {
      const { handle, ...range } = body;
      return await sendFile(socket, handle, { ...range, header: Buffer.from(head), onProgress });
    }
    await write(socket, head + body);
    return { bytes: Buffer.byteLength(body), method: body === "" ? "none" : "copy" };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(stalled);
  }
}

function write(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error("closed by the client"));
    if (socket.destroyed) return closed();
    socket.once("close", closed);
    socket.write(text, (error) => {
      socket.off("close", closed);
      if (error) reject(error);
      else resolve();
    });
  });
}
