/** Finds a port for a program that needs a port number. @module */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/**
 * Returns a currently free TCP port of the loopback interface; another program may take it
 * meanwhile.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
