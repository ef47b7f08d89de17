/**
 * Uploads and downloads: `node examples/upload.ts FOLDER [PORT]`, or with `bun` or `deno run -A`.
 *
 *     curl -T video.mp4 http://127.0.0.1:3000/     uploads a file
 *     curl -O http://127.0.0.1:3000/video.mp4      downloads it
 *
 * Downloads leave by sendfile(2), uploads arrive by splice(2): a body goes from the client's socket
 * through a pipe to the receiver, from there through another pipe into the file, and never enters
 * JavaScript. A file appears under its name when it is complete.
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

// Who can open the socket can write files. The mode of its folder admits this user only.
const place = mkdtempSync(join(tmpdir(), "sluice-upload-"));
process.on("exit", () => rmSync(place, { recursive: true, force: true }));
const path = join(place, "receiver.sock");

/** A blocked thread receives no messages, so it checks this flag. */
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
  // The server answers 404 for missing files. Only writes go to the receiver.
  fallback: { to: { path }, notFound: false },
});
const { port: listening } = await server.listen();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await server.close();
    Atomics.store(stop, 0, 1);
  });
}

// Printed last, because a reader of this line may send a signal at once.
console.log(`Serving ${folder} at http://127.0.0.1:${listening}/, and accepting uploads by PUT`);
