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
import { createReadStream } from "../../src/move/read_stream/read_stream.ts";
import { sendFile } from "../../src/move/send_file/send_file.ts";

const [root = "", cert = "", key = ""] = process.argv.slice(2);
const methods: Record<string, number> = {};
const count = (method: string) => void (methods[method] = (methods[method] ?? 0) + 1);

const server = createServer(
  { cert: readFileSync(cert), key: readFileSync(key) },
  (req, res) => {
    const piped = req.url!.startsWith("/piped/");
    const path = root + req.url!.slice(piped ? 6 : 0);
    const size = statSync(path).size;
    if (piped) {
      res.setHeader("Content-Length", size);
      createReadStream(path).pipe(res);
      return;
    }
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
