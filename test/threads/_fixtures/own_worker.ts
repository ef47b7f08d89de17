/** A Worker of the user's that uses sluice, and ends. @module */

import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { createFileServer } from "../../../src/http/mod.ts";
import { copyFile, createRelay, transfer } from "../../../src/mod.ts";

const { folder, kind } = workerData as { readonly folder: string; readonly kind: string };
const file = join(folder, "file");

async function use(): Promise<number | undefined> {
  if (kind === "copy" || kind === "copied") {
    await copyFile(file, join(folder, "copy"), { method: "splice" });
  }
  if (kind === "transfer") {
    const fd = openSync(join(folder, "copy"), "w");
    await transfer(file, fd);
    closeSync(fd);
  }
  if (kind === "server") {
    return (await createFileServer({ root: folder }).listen()).port;
  }
  if (kind === "relay") {
    const address = await createRelay({ listen: "127.0.0.1:0", upstream: ":1" }).listen();
    return (address as { port: number }).port;
  }
  // Waits until it is terminated.
  if (kind !== "copied") return undefined;
  setInterval(() => {}, 1000);
  return 0;
}

const port = await use();
parentPort!.postMessage(port);
// The main thread terminates this server.
if (port === undefined) process.exit();
