/** `createFileServer` by TLS: `https_sluice.ts FOLDER CERT KEY CIPHER CONNECTIONS`. @module */

import process from "node:process";
import { createFileServer } from "../../src/http/mod.ts";
import { announce } from "./harness.ts";

const [, , root = ".", cert = "", key = "", ciphers = "", connections = "10000"] = process.argv;
const server = createFileServer({
  root,
  threads: 1,
  limits: { maxConnections: Number(connections) },
  // As many as nginx has here.
  backlog: 2048,
  tls: { cert, key, minVersion: "TLSv1.3", ciphers },
});
announce((await server.listen()).port);
