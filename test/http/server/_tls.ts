/** Clients for servers of HTTPS. @module */

import { once } from "node:events";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { CERTIFICATE } from "../../_kit/certificate.ts";
import { type RawResponse, responses } from "../../_kit/raw_http.ts";

/** A client that has finished the handshake with the server for `localhost`. */
export async function secureClient(
  port: number,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: "127.0.0.1",
    servername: "localhost",
    ca: CERTIFICATE,
    ...options,
  });
  await once(socket, "secureConnect");
  return socket;
}

/** Sends text, and returns everything that comes back before the connection ends. */
export async function secureTalk(
  port: number,
  text: string,
  options: ConnectionOptions = {},
): Promise<Buffer> {
  const socket = await secureClient(port, options);
  const pieces: Uint8Array[] = [];
  socket.on("data", (piece: Uint8Array) => pieces.push(piece));
  socket.on("error", () => {});
  const closed = once(socket, "close");
  socket.write(text);
  await closed;
  return Buffer.concat(pieces);
}

/** One request on a connection of its own. */
export async function secureGet(
  port: number,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  options: ConnectionOptions = {},
): Promise<RawResponse> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const text = `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${lines}Connection: close\r\n\r\n`;
  const [response] = responses(await secureTalk(port, text, options), ["GET"]);
  return response!;
}
