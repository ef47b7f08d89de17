/** Targets of `node:http`, `node:https` and `node:http2`. @module */

import { once } from "node:events";
import {
  Agent,
  createServer,
  get,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import { Agent as TlsAgent, createServer as createTlsServer, get as getTls } from "node:https";
import type { Socket } from "node:net";
import { PassThrough, type Readable } from "node:stream";
import { Reader } from "./bytes.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";
import type { Pair } from "./targets.ts";
import { destroyed, HOST, listen, stop } from "./targets_net.ts";

export const openHttp = async (): Promise<Pair> => {
  const agent = new Agent();
  return await openResponse(
    createServer(),
    (port) => get({ host: HOST, port, agent }),
    () => agent.destroy(),
  );
};

export const openHttps = async (): Promise<Pair> => {
  const agent = new TlsAgent({ ca: CERTIFICATE });
  return await openResponse(
    createTlsServer({ cert: CERTIFICATE, key: KEY }) as unknown as Server,
    (port) => getTls({ host: HOST, port, agent, servername: "localhost" }),
    () => agent.destroy(),
  );
};

type Request = ReturnType<typeof get>;

async function openResponse(
  server: Server,
  request: (port: number) => Request,
  close: () => void,
): Promise<Pair> {
  const port = await listen(server);
  const client = request(port);
  client.on("error", () => {});
  const [, res] = await once(server, "request") as [IncomingMessage, ServerResponse];
  return {
    target: res,
    reader: new Reader(bodyOf(client)),
    write: null,
    queue: null,
    end() {},
    reset: () => void client.destroy(),
    destroy: () => void res.destroy(),
    async close() {
      res.destroy();
      client.destroy();
      const socket = client.socket as Socket | null;
      if (socket) await destroyed(socket);
      close();
      server.closeAllConnections?.();
      await stop(server);
    },
  };
}

export const openHttp2 = async (): Promise<Pair> => {
  const server = createHttp2Server();
  const port = await listen(server as unknown as Server);
  const session = connect(`http://${HOST}:${port}`);
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  const [, res] = await once(server, "request");
  return {
    target: res as ServerResponse,
    reader: new Reader(stream),
    write: null,
    queue: null,
    end() {},
    reset: () => void session.destroy(),
    destroy: () => void res.stream?.destroy(),
    async close() {
      session.destroy();
      await stop(server as unknown as Server);
    },
  };
};

/** The body of a response that has not arrived yet. */
function bodyOf(client: Request): Readable {
  const body = new PassThrough();
  const cut = () => void body.destroy();
  client.on("error", cut).on("close", cut);
  client.on("response", (message) => {
    client.off("close", cut);
    message.on("error", cut).pipe(body);
    // Bun reports a body that is too short by `close` only.
    message.on("close", () => message.complete || cut());
  });
  return body;
}
