/**
 * Answers each request with a file: `node examples/send_file_node.ts FILE`. `sendFile` adds
 * Content-Length and Content-Type to your headers, sends the body, and ends the response.
 *
 * @module
 */

import { createServer } from "node:http";
import process from "node:process";
import { sendFile } from "../src/mod.ts";

const path = process.argv[2] ?? "README.md";

const server = createServer((_, res) => {
  sendFile(res, path).then(
    ({ bytes, method, durationMs }) => console.log(`${bytes} B ${method} ${durationMs} ms`),
    (error) => {
      console.error(error.message);
      // Before the first byte, another response is possible. After it, the connection is closed.
      if (!res.headersSent) res.writeHead(500).end();
    },
  );
});
server.listen(0, "127.0.0.1", () => console.log(server.address()));
