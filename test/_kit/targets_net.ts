/** Targets of `node:net` and `node:tls`. @module */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { noise, Reader } from "./bytes.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";
import type { Pair } from "./targets.ts";

export const HOST = "127.0.0.1";

/** Starts a server on a free port. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, HOST);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Stops a server whose connections are closed. */
export async function stop(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

/** Runs `body` with both ends of a connection of the runtime; neither end closes with the other. */
export async function withSockets(
  body: (client: Socket, server: Socket) => Promise<void>,
): Promise<void> {
  const listener = createServer({ allowHalfOpen: true });
  const port = await listen(listener);
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  const client = connect({ port, host: HOST, allowHalfOpen: true });
  const [server] = await accepted;
  try {
    await body(client, server);
  } finally {
    client.destroy();
    server.destroy();
    await stop(listener);
  }
}

/** A server for one peer: returns the accepted connection and a function that stops the server. */
export async function acceptOne(
  server: Server,
  dial: (port: number) => Socket,
  event = "connection",
): Promise<{ accepted: Socket; dialled: Socket; close(): Promise<void> }> {
  const port = await listen(server);
  const [dialled, [accepted]] = await Promise.all([
    Promise.resolve(dial(port)),
    once(server, event) as Promise<[Socket]>,
  ]);
  return { accepted, dialled, close: () => stop(server) };
}

export const openAccepted = async (): Promise<Pair> => {
  const { accepted, dialled, close } = await acceptOne(
    createServer(),
    (port) => connect(port, HOST),
  );
  return socketPair(accepted, dialled, close);
};

export const openConnected = async (): Promise<Pair> => {
  const { accepted, dialled, close } = await acceptOne(
    createServer(),
    (port) => connect(port, HOST),
  );
  return socketPair(dialled, accepted, close);
};

export const openTls = async (): Promise<Pair> => {
  const server = createTlsServer({ cert: CERTIFICATE, key: KEY });
  const { accepted, dialled, close } = await acceptOne(
    server,
    (port) => connectTls({ host: HOST, port, ca: CERTIFICATE, servername: "localhost" }),
    "secureConnection",
  );
  return socketPair(accepted, dialled, close);
};

export const openUnix = async (): Promise<Pair> => {
  const { path, remove } = socketPath();
  const server = createServer();
  server.listen(path);
  await once(server, "listening");
  const dialled = connect(path);
  const [accepted] = await once(server, "connection") as [Socket];
  return socketPair(accepted, dialled, async () => {
    await stop(server);
    remove();
  });
};

/** Returns a free path for a Unix socket. */
export function socketPath(): { path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  return {
    path: join(folder, "socket"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function socketPair(socket: Socket, peer: Socket, close: () => Promise<void>): Pair {
  socket.on("error", () => {}).resume();
  return {
    target: socket,
    write: (bytes) => void socket.write(bytes),
    queue() {
      const bytes = noise(16 * 1024 * 1024);
      socket.write(bytes);
      return Promise.resolve(() => Promise.resolve(bytes));
    },
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    ...peerOf(peer),
    async close() {
      await Promise.all([destroyed(socket), destroyed(peer)]);
      await close();
    },
  };
}

/** The reading end of a pair. */
export function peerOf(peer: Socket): Pick<Pair, "reader" | "reset"> {
  return {
    reader: new Reader(peer),
    // Only TCP has a reset.
    reset: () =>
      void (peer.remoteFamily && !("encrypted" in peer) ? peer.resetAndDestroy() : peer.destroy()),
  };
}

/** Destroys a socket and waits until its descriptor is closed. */
export async function destroyed(socket: Socket): Promise<void> {
  if (socket.closed) return;
  const closed = once(socket, "close");
  socket.destroy();
  await closed;
}
