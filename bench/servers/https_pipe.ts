/** What everybody writes, over HTTPS: `https_pipe.ts FOLDER CERT KEY CIPHER`. @module */

import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:https";
import process from "node:process";
import { fileOf, listen } from "./harness.ts";

const [, , , cert = "", key = "", ciphers = ""] = process.argv;
const options = {
  cert: readFileSync(cert),
  key: readFileSync(key),
  minVersion: "TLSv1.3",
  ciphers,
} as const;

listen(createServer(options, (req, res) => {
  const path = fileOf(req.url!);
  res.setHeader("Content-Length", statSync(path).size);
  const stream = createReadStream(path);
  res.on("close", () => stream.destroy());
  stream.pipe(res);
}));
