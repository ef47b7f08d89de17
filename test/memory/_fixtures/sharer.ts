/**
 * Maps the memory of another thread or process, adds to its counters and says so: with a path, or the
 * number of an inherited descriptor, as argument in a process of its own; with a descriptor as
 * `workerData` in a Worker.
 *
 * @module
 */

import process from "node:process";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { MappedMemory } from "../../../src/mod.ts";

const argument = process.argv[2] ?? "";
const inherited = /^\d+$/.test(argument) ? Number(argument) : argument;
const memory = MappedMemory.open(isMainThread ? inherited : workerData as number);
const counters = new Int32Array(memory.bytes.buffer);
for (let i = 0; i < 100_000; i++) Atomics.add(counters, 0, 1);
counters[1024] = 7;
memory.close();
if (isMainThread) console.log("added");
else parentPort!.postMessage("added");
