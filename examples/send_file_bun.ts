/**
 * Sends a file to each client: `bun examples/send_file_bun.ts FILE`, then `nc 127.0.0.1 PORT`.
 * Uses Bun's own sockets without HTTP, so you decide what precedes the file.
 *
 * @module
 */

import process from "node:process";
import { type BunSocket, sendFile } from "../src/mod.ts";

type Socket = BunSocket & { shutdown(): void; terminate(): void };
declare const Bun: {
  listen(options: {
    hostname: string;
    port: number;
    socket: { open(socket: Socket): void; data(): void };
  }): { port: number };
};

const path = process.argv[2] ?? "README.md";
const header = Buffer.from(`${path}\n\n`);

async function open(socket: Socket): Promise<void> {
  const { bytes, method } = await sendFile(socket, path, { header });
  console.log(`${bytes} B ${method}`);
  // sendFile leaves the socket open, so that another file can follow. end() would close at once and
  // reset the connection if the client has sent anything, and the file would be cut.
  socket.shutdown();
}

const failed = (socket: Socket, error: Error) => {
  console.error(error.message);
  socket.terminate();
};
const socket = { open: (s: Socket) => void open(s).catch((e) => failed(s, e)), data() {} };
console.log(Bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port);
