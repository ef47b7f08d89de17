/**
 * Express with one changed import: `node examples/express.ts FOLDER [PORT]`, or with `bun` or
 * `deno run -A`.
 *
 * The original line was
 *
 *     app.use("/files", express.static(folder, { maxAge: "1h" }));
 *
 * @module
 */

import express from "express";
import process from "node:process";
import { serveStatic } from "../src/http/mod.ts";

const [folder = ".", port = "3000"] = process.argv.slice(2);
const app = express();

app.use("/files", serveStatic(folder, { maxAge: "1h" }));
app.get("/", (_, res) => res.send('<a href="/files/">Files</a>\n'));

const server = app.listen(Number(port), "127.0.0.1", () => {
  const address = server.address() as { port: number };
  console.log(`Serving ${folder} at http://127.0.0.1:${address.port}/files/`);
});
