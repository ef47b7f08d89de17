/**
 * A program that uses the waiting layer and then ends in the way that its arguments say:
 * `STATE TRIGGER [PLACE]`. It prints the time at which it does so.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { pipe2, write } from "../../../src/sys/raw/mod.ts";
import { runBlocking } from "../../../src/threads/blocking/blocking.ts";
import { PollEvent } from "../../../src/sys/flags/event.ts";
import { ready } from "../../../src/threads/poll/poll_ready.ts";

const say = (text: string): void => void writeSync(1, `${text}\n`);
const [state, trigger, place = "main"] = (workerData ?? process.argv.slice(2)) as string[];

if (place === "worker" && workerData === null) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [state, trigger, place] });
  worker.on("error", (error) => {
    throw error;
  });
  worker.on("message", () => {
    say(`trigger ${Date.now()}`);
    void worker.terminate().then(() => say("terminated"));
  });
} else {
  await use();
  if (trigger === "terminate") parentPort!.postMessage("in use");
  else say(`trigger ${Date.now()}`);
  if (trigger === "exit") process.exit(7);
  if (trigger === "stay") setTimeout(() => {}, 60_000);
  if (trigger === "throw") throw new RangeError("thrown on purpose");
}

async function use(): Promise<void> {
  const fds = new Int32Array(2);
  pipe2(fds, 0);
  const wait = ready(fds[0]!, PollEvent.IN);
  const wake = () => write(fds[1]!, new Uint8Array(1));
  if (state === "late") {
    void wait.then(() => say("resolved"));
    setTimeout(wake, 400).unref();
    return;
  }
  if (state === "pending") {
    // So that both threads are known to be parked when the trigger comes.
    await runBlocking("fsync", -1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return;
  }
  wake();
  await Promise.all([wait, runBlocking("fsync", -1)]);
}
