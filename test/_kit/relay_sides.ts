/** Every kind of socket that `relay` supports, each with a raw peer at its far end. @module */

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { runtime } from "../../ffi/mod.ts";
import type { RelayTarget } from "../../src/move/relay/types.ts";
import * as sys from "../../src/sys/mod.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";
import { Listener, Peer, until } from "./peer.ts";

const HOST = "127.0.0.1";

/** The peer at the far end; waits while the event loop runs. */
export interface Far {
  send(bytes: Uint8Array): Promise<void>;
  /** Receives exactly this many bytes. */
  receive(count: number): Promise<Uint8Array>;
  /** Ends the sending side. */
  end(): void;
  /** Waits for the end; `true` for a reset. */
  receiveEnd(): Promise<boolean>;
  reset(): void;
  close(): void;
}

/** A target and its far end. */
export interface Opened {
  readonly target: RelayTarget;
  readonly far: Far;
  /** Frees everything. */
  close(): void;
}

/** One kind of socket. */
export interface SideKind {
  readonly name: string;
  /** How its bytes move on this runtime. */
  readonly method: "splice" | "copy";
  readonly skip: string | false;
  open(): Promise<Opened>;
}

const RUNTIME = runtime().name;
const onlyBun = RUNTIME === "bun" ? false : "only Bun has Bun.listen";
const onlyDeno = RUNTIME === "deno" ? false : "only Deno has Deno.listen";

/** The parts of the runtimes used here. */
interface Globals {
  readonly Bun: {
    listen(options: object): { port: number; stop(): void };
  };
  readonly Deno: {
    listen(options: object): DenoListener;
    connect(options: object): Promise<RelayTarget & { close(): void }>;
  };
}
interface DenoListener {
  readonly addr: { port: number };
  accept(): Promise<RelayTarget & { close(): void }>;
  close(): void;
}
const { Bun, Deno } = globalThis as unknown as Globals;

/** All kinds; those that a runtime lacks are skipped with the reason. */
export const SIDES: readonly SideKind[] = [
  { name: "accepted net.Socket", method: "splice", skip: false, open: openAccepted },
  { name: "connected net.Socket", method: "splice", skip: false, open: openConnected },
  { name: "tls.TLSSocket", method: "copy", skip: false, open: openTls },
  { name: "socket of Bun.listen", method: "splice", skip: onlyBun, open: openBun },
  { name: "conn of Deno.listen", method: "splice", skip: onlyDeno, open: openDenoAccepted },
  { name: "conn of Deno.connect", method: "copy", skip: onlyDeno, open: openDenoConnected },
  { name: "descriptor", method: "splice", skip: false, open: () => openDescriptor(true) },
  { name: "blocking descriptor", method: "copy", skip: false, open: () => openDescriptor(false) },
];

/** A raw peer as a far end. */
export function farOf(peer: Peer): Far {
  return {
    async send(bytes) {
      for (let at = 0; at < bytes.length;) {
        await until(() => {
          const sent = peer.sendSome(bytes.subarray(at, at + 262_144));
          at += sent;
          return sent > 0;
        }, "there is room to send");
      }
    },
    async receive(count) {
      const bytes = new Uint8Array(count);
      for (let at = 0; at < count;) {
        await until(() => {
          const received = peer.receiveSome(bytes.subarray(at));
          if (received === 0) throw new Error(`The end came after ${at} of ${count} bytes`);
          at += Math.max(0, received);
          return received > 0;
        }, `${count} bytes arrive`);
      }
      return bytes;
    },
    end: () => peer.end(),
    async receiveEnd() {
      await until(() => !peer.quiet, "the end arrives");
      const bytes = new Uint8Array(65536);
      for (let count = 0;;) {
        count = sys.raw.recv(peer.fd, bytes, 0);
        if (count === 0) return false;
        if (count === -11) await until(() => !peer.quiet, "the end arrives");
        else if (count < 0) return true;
      }
    },
    reset: () => peer.reset(),
    close: () => peer.close(),
  };
}

async function listen(server: Server): Promise<sys.SocketAddress> {
  server.listen(0, HOST);
  await once(server, "listening");
  return { family: "IPv4", address: HOST, port: (server.address() as { port: number }).port };
}

async function openAccepted(): Promise<Opened> {
  const server = createServer({ allowHalfOpen: true });
  const peer = Peer.connect(await listen(server));
  const [socket] = await once(server, "connection") as [Socket];
  return {
    target: socket,
    far: farOf(peer),
    close() {
      peer.close();
      socket.destroy();
      server.close();
    },
  };
}

async function openConnected(): Promise<Opened> {
  const listener = new Listener();
  const { port } = listener.address as sys.IpAddress;
  const socket = connect({ port, host: HOST, allowHalfOpen: true });
  await until(() => !listener.quiet, "it is connected");
  const peer = listener.accept();
  return {
    target: socket,
    far: farOf(peer),
    close() {
      peer.close();
      socket.destroy();
      listener.close();
    },
  };
}

async function openTls(): Promise<Opened> {
  const server = createTlsServer({ cert: CERTIFICATE, key: KEY, allowHalfOpen: true });
  const { port } = await listen(server) as sys.IpAddress;
  const options = { host: HOST, port, ca: CERTIFICATE, servername: "localhost" };
  const dialled = connectTls({ ...options, allowHalfOpen: true } as object);
  dialled.on("error", () => {});
  const [socket] = await once(server, "secureConnection") as [TLSSocket];
  return {
    target: socket,
    far: streamFar(dialled),
    close() {
      dialled.destroy();
      socket.destroy();
      server.close();
    },
  };
}

async function openBun(): Promise<Opened> {
  const opened = Promise.withResolvers<RelayTarget & { terminate(): void }>();
  const listener = Bun.listen({
    hostname: HOST,
    port: 0,
    allowHalfOpen: true,
    socket: { open: opened.resolve, data() {}, close() {}, error() {} },
  });
  const peer = Peer.connect({ family: "IPv4", address: HOST, port: listener.port });
  const target = await opened.promise;
  return {
    target,
    far: farOf(peer),
    close() {
      peer.close();
      target.terminate();
      listener.stop();
    },
  };
}

async function openDenoAccepted(): Promise<Opened> {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const peer = Peer.connect({ family: "IPv4", address: HOST, port: listener.addr.port });
  return denoOpened(await listener.accept(), peer, () => listener.close());
}

async function openDenoConnected(): Promise<Opened> {
  const listener = new Listener();
  const { port } = listener.address as sys.IpAddress;
  const conn = await Deno.connect({ hostname: HOST, port });
  return denoOpened(conn, listener.accept(), () => listener.close());
}

function denoOpened(
  conn: RelayTarget & { close(): void },
  peer: Peer,
  stop: () => void,
): Opened {
  return {
    target: conn,
    far: farOf(peer),
    close() {
      peer.close();
      try {
        conn.close();
      } catch {
        // The relay has closed it.
      }
      stop();
    },
  };
}

function openDescriptor(nonblocking: boolean): Promise<Opened> {
  const listener = new Listener();
  const peer = Peer.connect(listener.address);
  const { fd } = listener.accept();
  listener.close();
  if (!nonblocking) sys.setStatusFlags(fd, sys.statusFlags(fd) & ~sys.OpenFlag.NONBLOCK);
  return Promise.resolve({
    target: fd,
    far: farOf(peer),
    close() {
      peer.close();
      sys.close(fd);
    },
  });
}

/** A stream of the runtime as a far end. */
function streamFar(socket: Socket): Far {
  let received = Buffer.alloc(0);
  let ended = false;
  let failed = false;
  socket.on("data", (bytes: Buffer) => received = Buffer.concat([received, bytes]));
  socket.on("end", () => ended = true);
  socket.on("close", () => failed = true);
  return {
    send: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => error ? reject(error) : resolve());
      }),
    async receive(count) {
      await until(() => received.length >= count || ended, `${count} bytes arrive`);
      const bytes = received.subarray(0, count);
      received = received.subarray(count);
      return bytes;
    },
    end: () => void socket.end(),
    async receiveEnd() {
      await until(() => ended || failed, "the end arrives");
      return !ended;
    },
    reset: () => void socket.destroy(),
    close: () => void socket.destroy(),
  };
}
