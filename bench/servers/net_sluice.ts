/** sluice behind `node:net`. @module */

import { createServer } from "node:net";
import { sendFile } from "../../src/mod.ts";
import { answer, ignoreGone, listen } from "./harness.ts";

listen(createServer((socket) => {
  socket.on("error", ignoreGone);
  socket.on("data", (request) => {
    const { path, header, last } = answer(request as Uint8Array);
    sendFile(socket, path, { header }).then(() => last && socket.end(), ignoreGone);
  });
}));
