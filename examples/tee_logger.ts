/**
 * Forwards all data from one port to another and logs it to a file, without reading it:
 * `node examples/tee_logger.ts PORT LOG`. Run `nc -l PORT` elsewhere, and send something to the
 * port that the example prints. Runs on Node.js, Bun and Deno.
 *
 * Neither target may fall behind, so that the log always agrees with the delivery.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { broadcast } from "../src/mod.ts";

const [port = "9000", path = "traffic.log"] = process.argv.slice(2);
const host = "127.0.0.1";

async function pass(from: Socket): Promise<void> {
  const to = connect(Number(port), host);
  to.on("error", () => {}).resume();
  const log = openSync(path, "a");
  try {
    const { bytes, targets } = await broadcast(from, [to, log]);
    for (const { target, outcome, error } of targets) {
      const name = target === log ? path : `port ${port}`;
      console.log(`${bytes} B to ${name}: ${error?.message ?? outcome}`);
    }
  } finally {
    closeSync(log);
    to.end();
    from.end();
  }
}

const server = createServer((socket) => {
  socket.on("error", () => {});
  pass(socket).catch((error) => console.error(error.message));
});
server.listen(0, host, () => console.log(JSON.stringify(server.address())));
