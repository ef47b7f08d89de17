/** Targets of Bun's own API. @module */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { BunSocket } from "../../src/runtime/bun.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";
import type { Pair } from "./targets.ts";
import { destroyed, HOST, listen, peerOf, stop } from "./targets_net.ts";

interface OwnSocket extends BunSocket {
  end(): void;
}

interface Handlers {
  open(socket: OwnSocket): void;
  data(): void;
  error(): void;
  close(): void;
}

interface Options {
  hostname: string;
  port: number;
  socket: Handlers;
  tls?: { cert: string; key: string };
}

interface Bun {
  listen(options: Options): { port: number; stop(force: boolean): void };
  connect(options: Options): Promise<OwnSocket>;
}

/** Handlers that pass on the socket once it is open. */
function handlers(open: (socket: OwnSocket) => void): Handlers {
  return { open, data() {}, error() {}, close() {} };
}

const own = () => (globalThis as unknown as { Bun: Bun }).Bun;

async function listening(
  dial: (port: number) => Socket,
  tls?: { cert: string; key: string },
): Promise<Pair> {
  const { promise, resolve } = Promise.withResolvers<OwnSocket>();
  const server = own().listen({
    hostname: HOST,
    port: 0,
    socket: handlers(resolve),
    ...(tls && { tls }),
  });
  const peer = dial(server.port);
  const socket = await promise;
  return bunPair(socket, peer, () => {
    server.stop(true);
    return Promise.resolve();
  });
}

export const openListen = (): Promise<Pair> => listening((port) => connect(port, HOST));

export const openListenTls = (): Promise<Pair> =>
  listening(
    (port) => connectTls({ host: HOST, port, ca: CERTIFICATE, servername: "localhost" }),
    { cert: CERTIFICATE, key: KEY },
  );

export const openConnect = async (): Promise<Pair> => {
  const server = createServer();
  const port = await listen(server);
  const [socket, [peer]] = await Promise.all([
    own().connect({ hostname: HOST, port, socket: handlers(() => {}) }),
    once(server, "connection") as Promise<[Socket]>,
  ]);
  return bunPair(socket, peer, () => stop(server));
};

function bunPair(socket: OwnSocket, peer: Socket, close: () => Promise<void>): Pair {
  return {
    target: socket,
    write: (bytes) => void socket.write(bytes),
    queue: null,
    end: () => socket.end(),
    destroy: () => socket.terminate(),
    ...peerOf(peer),
    async close() {
      socket.terminate();
      await destroyed(peer);
      await close();
    },
  };
}
