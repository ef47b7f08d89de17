/** The usual way: `fs.createReadStream(path).pipe(res)`. @module */

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { fileOf, listen } from "./harness.ts";

listen(createServer((req, res) => {
  const path = fileOf(req.url!);
  res.setHeader("Content-Length", statSync(path).size);
  const stream = createReadStream(path);
  res.on("close", () => stream.destroy());
  stream.pipe(res);
}));
