/** A server for one WebSocket, in bytes: it reads when it is told to. @module */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { destroyed, listen, stop } from "./targets_net.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const BINARY = 2;

/** Both ends of a connection. */
export interface WebSocketPeer {
  /** The client of the runtime, open. */
  readonly client: WebSocket;
  /** The other end; it does not read until {@linkcode messages} is called. */
  readonly socket: Socket;
  /** Reads binary messages until they have `length` bytes; then returns each one. */
  messages(length: number): Promise<Buffer[]>;
}

/** Runs `body` with a WebSocket whose peer does not read yet. */
export async function withWebSocket(body: (peer: WebSocketPeer) => Promise<void>): Promise<void> {
  const server = createServer();
  const port = await listen(server);
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  client.addEventListener("error", () => {});
  const opened = new Promise((resolve) => client.addEventListener("open", resolve));
  const [socket] = await once(server, "connection") as [Socket];
  socket.on("error", () => {});
  let received: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => received = Buffer.concat([received, bytes]));
  while (!received.includes("\r\n\r\n")) await once(socket, "data");
  const key = /sec-websocket-key: (.*)\r/i.exec(received.toString())![1]!;
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.removeAllListeners("data");
  socket.pause();
  await opened;
  try {
    await body({ client, socket, messages: messagesOf(socket) });
  } finally {
    client.close();
    await destroyed(socket);
    await stop(server);
  }
}

/** Returns {@linkcode WebSocketPeer.messages} of a socket. */
function messagesOf(socket: Socket): WebSocketPeer["messages"] {
  const iterator = socket.iterator({ destroyOnReturn: false });
  let rest: Buffer = Buffer.alloc(0);
  return async (length) => {
    const messages: Buffer[] = [];
    for (let total = 0; total < length;) {
      const { done, value } = await iterator.next();
      if (done) break;
      rest = Buffer.concat([rest, value as Buffer]);
      for (let frame; (frame = parsed(rest)) !== null; rest = rest.subarray(frame.end)) {
        if (frame.opcode !== BINARY) throw new Error(`opcode ${frame.opcode}`);
        messages.push(frame.payload);
        total += frame.payload.length;
      }
    }
    return messages;
  };
}

/** A masked frame: see RFC 6455, 5.2. */
function parsed(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1]! & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head) return null;
  const length = short === 126
    ? bytes.readUInt16BE(2)
    : short === 127
    ? Number(bytes.readBigUInt64BE(2))
    : short;
  const end = head + 4 + length;
  if (bytes.length < end) return null;
  const mask = bytes.subarray(head, head + 4);
  const payload = Buffer.from(bytes.subarray(head + 4, end));
  for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3]!;
  return { opcode: bytes[0]! & 0x0f, payload, end };
}
