/**
 * Reads a large file slowly on many connections, each at the same rate, until stdin is closed.
 *
 * `slow_readers.ts '{"port":1,"path":"/large","readers":1000,"bytesPerSecond":50000,
 * "receiveBuffer":16384}'` prints `{"reading":true}` when all are connected, and one
 * {@linkcode SlowResult} at the end, both as JSON.
 *
 * @module
 */

import process from "node:process";
import { Connection } from "./connection.ts";
import { sleepUntil } from "./pace.ts";

/** The job. */
export interface SlowJob {
  readonly port: number;
  readonly path: string;
  readonly readers: number;
  readonly bytesPerSecond: number;
  readonly receiveBuffer: number;
}

/** Result of a run. */
export interface SlowResult {
  readonly seconds: number;
  /** Bytes per second: the mean over the readers, and the least of one reader. */
  readonly meanRate: number;
  readonly lowestRate: number;
  /** Readers that got less than 80 % of their rate. */
  readonly starved: number;
}

/** Interval of each reader's reads, in milliseconds. The readers are spread over it. */
const INTERVAL_MS = 100;
const TICK_MS = 2;
const GROUPS = INTERVAL_MS / TICK_MS;

interface Reader {
  readonly connection: Connection;
  /** Bytes that are due but not read yet. */
  owed: number;
}

function run(job: SlowJob): SlowResult {
  const readers: Reader[] = [];
  for (let i = 0; i < job.readers; i++) {
    const connection = new Connection(job);
    connection.request(job.path, true);
    readers.push({ connection, owed: 0 });
  }
  console.log(JSON.stringify({ reading: true }));
  const share = job.bytesPerSecond * INTERVAL_MS / 1000;
  const startMs = performance.now();
  for (let tick = 1; sleepUntil(startMs + tick * TICK_MS); tick++) {
    for (let i = tick % GROUPS; i < readers.length; i += GROUPS) read(readers[i]!, share);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const rates = readers.map(({ connection }) => connection.received / seconds);
  return {
    seconds,
    meanRate: rates.reduce((sum, rate) => sum + rate) / rates.length,
    lowestRate: Math.min(...rates),
    starved: rates.filter((rate) => rate < 0.8 * job.bytesPerSecond).length,
  };
}

/** Takes what is due. A reader may catch up on one second of delay by the server. */
function read(reader: Reader, share: number): void {
  reader.owed = Math.min(reader.owed + share, share * 1000 / INTERVAL_MS);
  while (reader.owed >= 1) {
    const count = reader.connection.discard(Math.floor(reader.owed));
    if (count === "end") throw new Error("The server closed a slow reader's connection");
    if (count === "wait") return;
    reader.owed -= count;
  }
}

console.log(JSON.stringify(run(JSON.parse(process.argv[2]!))));
