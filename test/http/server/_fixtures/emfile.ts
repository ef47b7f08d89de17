/** Fills the table of descriptors beside a server, and says what its clients are told. @module */

import { createFileServer } from "../../../../src/http/mod.ts";
import * as sys from "../../../../src/sys/mod.ts";

const EMFILE = -24;

const server = createFileServer({ root: "." });
const { port } = await server.listen();
const clients = Array.from(
  { length: 4 },
  () => sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM),
);
const address = { family: "IPv4", address: "127.0.0.1", port } as const;

const hoard: number[] = [];
for (let next; (next = sys.raw.eventfd(0, 0)) !== EMFILE;) hoard.push(next);

/** Connects a client, and waits for its response. */
function ask(client: number): string {
  sys.connect(client, address);
  const target = new Uint8Array(4096);
  let text = "";
  for (let count; (count = sys.raw.recv(client, target, 0)) > 0;) {
    text += new TextDecoder().decode(target.subarray(0, count));
  }
  return text.slice(0, 12);
}

for (const client of clients.slice(0, 3)) console.log(ask(client));
for (const fd of hoard) sys.close(fd);
sys.connect(clients[3]!, address);
sys.send(clients[3]!, new TextEncoder().encode("GET /none HTTP/1.0\r\n\r\n"));
const target = new Uint8Array(4096);
const count = sys.recv(clients[3]!, target);
console.log(new TextDecoder().decode(target.subarray(0, Math.min(12, count))));
console.log(server.stats().refused);
for (const client of clients) sys.close(client);
await server.close();
