/**
 * Files up and down: `node examples/upload.ts FOLDER [PORT]`, or with `bun` or `deno run -A`.
 *
 *     curl -T video.mp4 http://127.0.0.1:3000/     puts a file there
 *     curl -O http://127.0.0.1:3000/video.mp4      gets it back
 *
 * Down by sendfile(2), up by splice(2): a body goes from the client's socket through a pipe to the
 * receiver, from there through another pipe into the file, and not a byte of it enters JavaScript.
 * A file appears under its name when all of it is there.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { createFileServer } from "../src/http/mod.ts";

const [folder = ".", port = "3000"] = process.argv.slice(2);

// Whoever may open the socket may write files: only this user can, by the mode of its folder.
const place = mkdtempSync(join(tmpdir(), "sluice-upload-"));
process.on("exit", () => rmSync(place, { recursive: true, force: true }));
const path = join(place, "receiver.sock");

/** A thread that blocks hears no message: it looks at this. */
const stop = new Int32Array(new SharedArrayBuffer(4));
const receiver = new Worker(new URL("./upload/receiver.ts", import.meta.url), {
  workerData: { path, folder: resolve(folder), stop },
});
receiver.on("error", (error) => {
  throw error;
});
await new Promise((resolve) => receiver.once("message", resolve));

const server = createFileServer({
  root: folder,
  port: Number(port),
  listing: true,
  // What is not there is 404, and stays here; only what is to be written goes on.
  fallback: { to: { path }, notFound: false },
});
const { port: listening } = await server.listen();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await server.close();
    Atomics.store(stop, 0, 1);
  });
}

// Last: whoever reads it may send a signal at once.
console.log(`Serving ${folder} at http://127.0.0.1:${listening}/, and taking files by PUT`);
