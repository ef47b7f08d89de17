/**
 * One file for everybody who connects: `bun examples/send_file_bun.ts FILE`, then `nc 127.0.0.1 PORT`.
 * Bun's own sockets, and no HTTP: the header is whatever the protocol wants.
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
  // sendFile leaves a socket open: another file could follow. Not end(), which closes at once: if the
  // client has sent anything, that would reset the connection, and cut the file.
  socket.shutdown();
}

const failed = (socket: Socket, error: Error) => {
  console.error(error.message);
  socket.terminate();
};
const socket = { open: (s: Socket) => void open(s).catch((e) => failed(s, e)), data() {} };
console.log(Bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port);
