/** Targets of Deno's own API. @module */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { type DenoConn, writeAll } from "../../src/runtime/deno.ts";
import { noise } from "./bytes.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";
import type { Pair } from "./targets.ts";
import { destroyed, HOST, listen, peerOf, socketPath, stop } from "./targets_net.ts";

interface OwnConn extends DenoConn {
  read(target: Uint8Array): Promise<number | null>;
}

interface Listener {
  readonly addr: { readonly port: number };
  accept(): Promise<OwnConn>;
  close(): void;
}

interface Deno {
  listen(options: { hostname: string; port: number }): Listener;
  listen(options: { transport: "unix"; path: string }): Listener;
  listenTls(options: { hostname: string; port: number; cert: string; key: string }): Listener;
  connect(options: { hostname: string; port: number }): Promise<OwnConn>;
}

const own = () => (globalThis as unknown as { Deno: Deno }).Deno;

async function accepted(listener: Listener, dial: () => Socket): Promise<Pair> {
  const peer = dial();
  return denoPair(await listener.accept(), peer, () => Promise.resolve(listener.close()));
}

export const openListen = (): Promise<Pair> => {
  const listener = own().listen({ hostname: HOST, port: 0 });
  return accepted(listener, () => connect(listener.addr.port, HOST));
};

export const openTls = (): Promise<Pair> => {
  const listener = own().listenTls({ hostname: HOST, port: 0, cert: CERTIFICATE, key: KEY });
  const { port } = listener.addr;
  return accepted(
    listener,
    () => connectTls({ host: HOST, port, ca: CERTIFICATE, servername: "localhost" }),
  );
};

export const openUnix = async (): Promise<Pair> => {
  const { path, remove } = socketPath();
  const pair = await accepted(own().listen({ transport: "unix", path }), () => connect(path));
  return {
    ...pair,
    async close() {
      await pair.close();
      remove();
    },
  };
};

export const openConnect = async (): Promise<Pair> => {
  const server = createServer();
  const port = await listen(server);
  const [conn, [peer]] = await Promise.all([
    own().connect({ hostname: HOST, port }),
    once(server, "connection") as Promise<[Socket]>,
  ]);
  return denoPair(conn, peer, () => stop(server));
};

const MOST_QUEUED = 32 * 1024 * 1024;

function denoPair(conn: OwnConn, peer: Socket, close: () => Promise<void>): Pair {
  const closeConn = () => {
    try {
      conn.close();
    } catch {
      // Already closed.
    }
  };
  // As a server does: a read is always in flight.
  conn.read(new Uint8Array(1)).catch(() => {});
  return {
    target: conn,
    write: (bytes) => void writeAll(conn, bytes).catch(() => {}),
    async queue() {
      const chunk = noise(64 * 1024);
      const written: Buffer[] = [];
      const put = async () => {
        const count = await conn.write(chunk);
        written.push(chunk.subarray(0, count));
      };
      for (;;) {
        const last = put();
        const taken = await Promise.race([last.then(() => true), sleep(50)]);
        // An encrypted connection of Deno sometimes buffers gigabytes for a peer that does not
        // read.
        const enough = written.length * chunk.length > MOST_QUEUED;
        if (taken !== true || enough) return () => last.then(() => Buffer.concat(written));
      }
    },
    end: closeConn,
    destroy: closeConn,
    ...peerOf(peer),
    async close() {
      closeConn();
      await destroyed(peer);
      await close();
    },
  };
}
