/** A program behind a file server; answers with files from memory: `program.ts FOLDER`. @module */

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { listen } from "./harness.ts";

const folder = process.argv[2]!;
const answers = new Map(
  readdirSync(folder).map((name) => [`/api/${name}`, readFileSync(join(folder, name))]),
);

listen(createServer((req, res) => {
  const body = answers.get(req.url!);
  res.setHeader("Content-Type", "application/octet-stream");
  res.writeHead(body ? 200 : 404, { "Content-Length": body?.length ?? 0 }).end(body);
}));
