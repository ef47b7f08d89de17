/** Serves by `node:net`, where `node:http` hides the descriptor of a connection: Bun. @module */

import { STATUS_CODES } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { sendFile } from "../../src/mod.ts";
import { type Answer, message } from "./answer.ts";
import { exchange, IDLE_MS, type Sent, type Service } from "./exchange.ts";
import { readHeads } from "./request_head.ts";

/** Time for a client to take the end of the last answer, and to close in its turn. */
const LINGER_MS = 2000;

/** Makes a server that does not listen yet. */
export function tcpServer(service: Service): Server {
  // Half-open: a client may end its side once it has asked.
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => {}); // whoever reads or writes is told as well
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    converse(service, socket).catch(() => {}).finally(() => socket.destroy());
  });
}

async function converse(service: Service, socket: Socket): Promise<void> {
  // By hand, because a `for await` over the socket would destroy it at the end.
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
  // What still comes is read and dropped: closing on unread bytes would reset the connection, and
  // take the end of the answer with it.
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
  // The socket's own timer stands still on Bun while a write waits for a client that does not read.
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
