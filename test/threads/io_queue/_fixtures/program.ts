/**
 * A program that reads and writes past the page cache and then ends in the way that its arguments say:
 * `PATH STATE TRIGGER [PLACE]`. It prints the time at which it does so.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { AlignedBuffer } from "../../../../src/memory/aligned/aligned_buffer.ts";
import { DirectFile } from "../../../../src/memory/direct/direct_file.ts";

const say = (text: string): void => void writeSync(1, `${text}\n`);
const args = (workerData ?? process.argv.slice(2)) as string[];
const [path, state, trigger, place = "main"] = args;
const SIZE = 256 * 1024;

/** By then all threads of ours have started, also where the machine has its hands full. */
const STARTED_MS = 1000;

if (place === "worker" && workerData === null) {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: [path, state, trigger, place],
  });
  worker.on("error", (error) => {
    throw error;
  });
  worker.on("message", () => {
    say(`trigger ${Date.now()}`);
    void worker.terminate().then(async () => {
      // Late writes of the kernel have not hit other memory.
      const others = Array.from({ length: 16 }, () => new Uint8Array(SIZE).fill(1));
      await new Promise((resolve) => setTimeout(resolve, 20));
      const ones = new Uint8Array(SIZE).fill(1);
      if (others.every((bytes) => Buffer.compare(bytes, ones) === 0)) say("terminated");
    });
  });
} else {
  await use();
  // With koffi, Node.js dies when a Worker ends whose threads are only loading it: see docs/safety.md.
  if (trigger === "terminate") await new Promise((resolve) => setTimeout(resolve, STARTED_MS));
  if (trigger === "terminate") parentPort!.postMessage("in use");
  else say(`trigger ${Date.now()}`);
  if (trigger === "exit") process.exit(7);
  if (trigger === "stay") setTimeout(() => {}, 60_000);
  if (trigger === "throw") throw new RangeError("thrown on purpose");
}

async function use(): Promise<void> {
  const file = await DirectFile.open(path!, { access: "write" });
  const buffers = Array.from({ length: 16 }, () => AlignedBuffer.allocate(SIZE));
  buffers.forEach(({ bytes }) => bytes.fill(2));
  const both = ({ bytes }: AlignedBuffer, i: number) =>
    Promise.all([file.write(bytes, i * SIZE), file.read(bytes, i * SIZE)]);
  await Promise.all(buffers.map(both));
  if (state === "late") {
    void Promise.all(buffers.map(both)).then(() => say("resolved"));
    return;
  }
  if (state === "idle") return;
  // Without an end: whatever ends the process must end this.
  const again = async (buffer: AlignedBuffer, i: number) => {
    for (;;) await both(buffer, i);
  };
  buffers.forEach((buffer, i) => void again(buffer, i));
  await new Promise((resolve) => setTimeout(resolve, 50));
}
