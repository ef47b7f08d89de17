/** Serves one request by HTTPS to itself, and says which library did it: `{ name, status }`, or an error. */

import { request } from "node:https";
import process from "node:process";
import { createFileServer } from "../../../src/http/mod.ts";
import { tlsLibrary } from "../../../src/tls/library.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";

const root = process.argv[2]!;
const server = createFileServer({ root, tls: { cert: CERTIFICATE, key: KEY } });
try {
  const { port } = await server.listen();
  const status = await new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1", servername: "localhost", ca: CERTIFICATE };
    const sent = request({ ...options, path: "/data", agent: false }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    sent.on("error", reject).end();
  });
  console.log(JSON.stringify({ name: tlsLibrary().name, status }));
  await server.close({ graceMs: 0 });
} catch (error) {
  const { code, message } = error as Error & { code: string };
  console.log(JSON.stringify({ code, error: message }));
}
