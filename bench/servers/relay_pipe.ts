/** The usual way: `a.pipe(b); b.pipe(a)`. `relay_pipe.ts UPSTREAM_PORT`. @module */

import { connect, createServer } from "node:net";
import process from "node:process";
import { listen } from "./harness.ts";

const port = Number(process.argv[2]);

listen(createServer({ allowHalfOpen: true }, (client) => {
  const upstream = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => upstream.destroy());
  upstream.on("error", () => client.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
}));
