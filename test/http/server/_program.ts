/** A program behind the server: records received bytes, and sends scripted responses. @module */

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** Sends scripted responses. */
export interface Program {
  readonly port: number;
  /** The requests, each as it came: one for each connection. */
  readonly requests: string[];
  /** Connections that are open. */
  readonly open: ReadonlySet<Socket>;
  close(): Promise<void>;
}

/** Handles a connection once `text`, everything received so far, is enough. */
export type Script = (socket: Socket, text: string) => void;

/** Starts a program that runs `script` each time something arrives. */
export async function startProgram(script: Script, path?: string): Promise<Program> {
  const requests: string[] = [];
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    const index = requests.push("") - 1;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      requests[index] += chunk.toString("latin1");
      script(socket, requests[index]!);
    });
  });
  if (path === undefined) server.listen(0, "127.0.0.1");
  else server.listen(path);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port ?? 0,
    requests,
    open,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A script that answers each whole head with `answer` and ends. */
export function saying(answer: string): Script {
  return (socket, text) => {
    if (text.includes("\r\n\r\n")) socket.end(answer, "latin1");
  };
}
