/**
 * A server of `node:https` for the checks in the virtual machine: `node_server.ts ROOT CERT KEY`. It
 * sends files by `sendFile` with `kernelTls`. Prints its port; at SIGTERM how often each method
 * was used, as JSON, and ends.
 *
 * @module
 */

import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { sendFile } from "../../src/move/send_file/send_file.ts";

const [root = "", cert = "", key = ""] = process.argv.slice(2);
const methods: Record<string, number> = {};
const count = (method: string) => void (methods[method] = (methods[method] ?? 0) + 1);

const server = createServer(
  { cert: readFileSync(cert), key: readFileSync(key) },
  (req, res) => {
    const path = `${root}${req.url}`;
    const size = statSync(path).size;
    const range = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? "");
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(size, Number(range?.[2] ?? Infinity) + 1);
    if (range !== null) {
      res.statusCode = 206;
      res.setHeader("Content-Range", `bytes ${start}-${end - 1}/${size}`);
    }
    sendFile(res, path, { start, length: end - start, kernelTls: true }).then(
      ({ method }) => count(method),
      (error: NodeJS.ErrnoException) => count(error.code ?? error.name),
    );
  },
);
server.listen(0, "127.0.0.1", () => console.log(String((server.address() as AddressInfo).port)));
process.on("SIGTERM", () => {
  console.log(JSON.stringify(methods));
  process.exit(0);
});
