/** The first message of a TLS client. @module */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { connect } from "node:tls";

/** Bytes of the header of a TLS record; the last two hold the length of the rest. */
const HEADER_BYTES = 5;

/** Records the ClientHello of this runtime's own client. Each call returns bytes of its own. */
export async function recordHello(): Promise<Uint8Array> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const arrived = once(listener, "connection") as Promise<[Socket]>;
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost" });
  socket.on("error", () => {});
  try {
    const [peer] = await arrived;
    peer.on("error", () => {});
    const bytes: number[] = [];
    for (let left = HEADER_BYTES; left > 0;) {
      const [piece] = await once(peer, "data") as [Uint8Array];
      bytes.push(...piece);
      left = HEADER_BYTES + (bytes[3]! << 8 | bytes[4]!) - bytes.length;
    }
    peer.destroy();
    return Uint8Array.from(bytes);
  } finally {
    socket.destroy();
    listener.close();
  }
}
