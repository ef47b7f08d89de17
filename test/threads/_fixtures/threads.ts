/**
 * Starts a Worker five times, one after the other, that uses the waiting layer and ends in the way
 * that the argument says: `end` or `exit`. Prints how many descriptors are open after each.
 *
 * @module
 */

import process from "node:process";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { PollEvent } from "../../../src/sys/flags/event.ts";
import { close, pipe2, write } from "../../../src/sys/raw/mod.ts";
import { runBlocking } from "../../../src/threads/blocking/blocking.ts";
import { ready } from "../../../src/threads/poll/poll_ready.ts";
import { openDescriptors } from "../../_kit/descriptors.ts";

if (isMainThread) {
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: process.argv[2] });
    await new Promise((resolve) => worker.on("exit", resolve));
    // The runtimes close their ends of the wake sockets a little later.
    await new Promise((resolve) => setTimeout(resolve, 200));
    console.log(openDescriptors());
  }
} else {
  const fds = new Int32Array(2);
  pipe2(fds, 0);
  const wait = ready(fds[0]!, PollEvent.IN);
  write(fds[1]!, new Uint8Array(1));
  await Promise.all([wait, runBlocking("populate", 0, 0, 1)]);
  fds.forEach((fd) => close(fd));
  if (workerData === "exit") process.exit();
}
