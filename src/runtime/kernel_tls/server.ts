/** Prepares a server of `node:https` for kernel TLS. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { runtime } from "../../../ffi/mod.ts";
import { builtin } from "../../builtins.ts";
import { debug } from "../../debug.ts";
import { probeKernelTls } from "../../probe/sockets.ts";
import { available } from "../../sys/libc.ts";
import { socketOf } from "../response.ts";
import { isPlain } from "../socket.ts";
import * as calls from "./kernel.ts";
import { trafficSecret } from "./keys.ts";
import { type KernelCalls, Tunnel, tunnelOf } from "./tunnel.ts";

const seen = new WeakSet<object>();
let works: boolean | undefined;

/**
 * Has the kernel encrypt this response, if its connection allows that.
 *
 * The first response of a server prepares the server for the connections that follow.
 */
export async function useKernelTls(res: ServerResponse): Promise<void> {
  if (runtime().name !== "node" || !available()) return;
  works ??= probeKernelTls().state === "works";
  if (!works) return;
  const socket = await socketOf(res);
  if (socket === null) return;
  const { server } = socket as Socket & { readonly server?: unknown };
  if (typeof server !== "object" || server === null) return;
  if (seen.has(server)) return await tunnelOf(socket)?.settled;
  seen.add(server);
  if (!prepare(server, calls)) debug(() => "no kernel TLS: the server is of another kind");
}

/**
 * Gives new connections of a server to its TLS code through a {@linkcode Tunnel}. Open connections
 * stay as they are.
 *
 * @returns Whether it is a server that can be prepared.
 */
export function prepare(server: object, kernel: KernelCalls): boolean {
  if (!(server instanceof builtin("https").Server)) return false;
  const listeners = server.rawListeners("connection") as ((this: Server, raw: Socket) => void)[];
  const start = listeners.find(({ name }) => name === "tlsConnectionListener");
  // Such a listener sends the tickets when it pleases.
  if (start === undefined || server.listenerCount("newSession") > 0) return false;
  server.removeAllListeners("connection");
  const startInTunnel = (raw: Socket) => {
    const connection = isTcp(raw) ? new Tunnel(raw, kernel).stream : raw;
    start.call(server, connection as Socket);
  };
  for (const each of listeners) server.on("connection", each === start ? startInTunnel : each);
  server.on("keylog", (line: Uint8Array, socket: TLSSocket) => {
    const tunnel = tunnelOf(socket);
    const secret = tunnel && trafficSecret(line);
    if (secret !== undefined) tunnel!.keep(secret);
    // Other listeners may read the line later.
    const others = server.listenerCount("keylog") + socket.listenerCount("keylog") > 2;
    if (!others) line.fill(0);
  });
  server.prependListener("secureConnection", (socket) => tunnelOf(socket)?.secured(socket));
  server.prependListener(
    "tlsClientError",
    (_, socket) => tunnelOf(socket)?.lendIdentity(socket),
  );
  server.prependListener("request", ({ socket }: IncomingMessage, res: ServerResponse) => {
    if (tunnelOf(socket)?.outdated === true) res.shouldKeepAlive = false;
  });
  return true;
}

/** Whether this is a TCP connection that the runtime shows. Also lets it remember its addresses. */
function isTcp(raw: Socket): boolean {
  return raw instanceof builtin("net").Socket && !raw.destroyed && isPlain(raw) &&
    raw.remoteAddress !== undefined && raw.localAddress !== undefined;
}
