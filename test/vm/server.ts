/**
 * An HTTPS server for the checks in the virtual machine: `server.ts ROOT CERT KEY`. With
 * `SANDBOX=yes` in the environment its threads are in the sandbox. Prints its port; at
 * SIGTERM what it counted of TLS, as JSON, and ends.
 *
 * @module
 */

import { createFileServer } from "../../src/http/mod.ts";

const [root = "", cert = "", key = ""] = process.argv.slice(2);
/** The last of them is one that the kernel does not know. */
const ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES128-SHA256";
const sandbox = process.env["SANDBOX"] === "yes";
const server = createFileServer({ root, sandbox, threads: 1, tls: { cert, ciphers, key } });
const { port } = await server.listen();
process.on("SIGTERM", () => void end());
console.log(String(port));

async function end(): Promise<void> {
  const { tls, truncated } = server.stats();
  await server.close({ graceMs: 0 });
  console.log(JSON.stringify({ ...tls, truncated }));
  process.exit(0);
}
