/**
 * Relays one live stream to many viewers: `node examples/video_relay.ts`. It prints two ports. Send
 * a stream to the first one, `ffmpeg ... -f mpegts tcp://127.0.0.1:PORT`, and open
 * `http://127.0.0.1:PORT/` at the second one, with as many players as you like. Runs on Node.js,
 * Bun and Deno.
 *
 * Viewers come and go. A viewer that is too slow misses pieces, and the others do not wait. Without
 * viewers, the example still reads the stream, because it is live. The runtime owns both ends, so
 * each byte is read once and shared by all viewers.
 *
 * @module
 */

import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type Broadcast, broadcast } from "../src/mod.ts";

const host = "127.0.0.1";

/** Connected viewers, also between two streams. */
const viewers = new Set<ServerResponse>();
let live: Broadcast | undefined;

const studio = createServer((source: Socket) => {
  source.on("error", () => {});
  if (live !== undefined) return void source.destroy();
  live = broadcast(source, viewers, {
    slow: "drop",
    empty: "drop",
    onTargetEnd: ({ target, outcome, bytes, dropped }) => {
      viewers.delete(target as ServerResponse);
      console.log(`viewer ${outcome}: ${bytes} B, ${dropped} B dropped`);
    },
  });
  live.then(
    ({ bytes }) => console.log(`stream ended: ${bytes} B`),
    (error) => console.error(error.message),
  ).finally(() => {
    live = undefined;
    source.end();
  });
});

const theatre = createHttpServer((req, res) => {
  if (req.url !== "/") return void res.writeHead(404).end();
  res.writeHead(200, { "Content-Type": "video/mp2t", "Cache-Control": "no-store" });
  res.flushHeaders();
  viewers.add(res);
  live?.add(res);
  res.on("close", () => {
    viewers.delete(res);
    live?.remove(res);
  });
});

studio.listen(0, host, () => {
  theatre.listen(0, host, () => {
    const ports = [studio, theatre].map((server) => (server.address() as AddressInfo).port);
    console.log(JSON.stringify({ source: ports[0], viewers: ports[1] }));
  });
});
