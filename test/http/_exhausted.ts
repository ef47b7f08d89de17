/** A server that runs out of descriptors when it is asked to: `_exhausted.ts FOLDER`. @module */

import { closeSync, openSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import { serveStatic } from "../../src/http/mod.ts";

const files = serveStatic(process.argv[2]!);
const taken: number[] = [];

const server = createServer((req, res) => {
  if (req.url === "/exhaust") {
    try {
      for (;;) taken.push(openSync("/dev/null", "r"));
    } catch {
      res.setHeader("Content-Length", "0");
      res.end();
    }
  } else if (req.url === "/recover") {
    for (const fd of taken.splice(0)) closeSync(fd);
    res.setHeader("Content-Length", "0");
    res.end();
  } else files(req, res);
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
});
