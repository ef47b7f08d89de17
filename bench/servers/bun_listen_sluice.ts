/** sluice behind `Bun.listen`. @module */

import { type BunSocket, sendFile } from "../../src/mod.ts";
import { announce, answer, ignoreGone } from "./harness.ts";

interface Bun {
  listen(options: {
    hostname: string;
    port: number;
    socket: {
      data(socket: BunSocket & { end(): void }, request: Uint8Array): void;
      error(socket: unknown, error: Error): void;
    };
  }): { port: number };
}
const { Bun } = globalThis as unknown as { Bun: Bun };

const { port } = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket, request) {
      const { path, header, last } = answer(request);
      sendFile(socket, path, { header }).then(() => last && socket.end(), ignoreGone);
    },
    error: (_, error) => ignoreGone(error),
  },
});
announce(port);
