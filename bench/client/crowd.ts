/**
 * Opens thousands of connections that idle, or that read a file slowly to its end.
 *
 * `crowd.ts '{"port":1,"path":"/file","size":100000,"connections":10000,"bytesPerSecond":10000}'`
 * prints `{"open":true}` after all requests, and one {@linkcode CrowdResult} at the end, both as
 * JSON. With 0 bytes per second, each connection gets its answer at once, waits until stdin is
 * closed, and then asks again. A connection that the server has dropped meanwhile does not count as
 * complete.
 *
 * @module
 */

import process from "node:process";
import * as raw from "../../src/sys/raw/mod.ts";
import { Connection } from "./connection.ts";
import { sleepUntil } from "./pace.ts";

/** What to request. */
export interface CrowdJob {
  readonly port: number;
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly connections: number;
  /** Bytes per second of each connection; 0 for idle ones. */
  readonly bytesPerSecond: number;
  readonly receiveBuffer?: number;
}

/** Result of a run. */
export interface CrowdResult {
  /** Connections that got the whole file; idle ones twice. */
  readonly complete: number;
  readonly seconds: number;
  /** CPU seconds of this process. Near `seconds`, the client was the bottleneck. */
  readonly cpuSeconds: number;
}

/** Interval of each reader's reads, in milliseconds. The readers are spread over it. */
const INTERVAL_MS = 1000;
const TICK_MS = 5;
const GROUPS = INTERVAL_MS / TICK_MS;

const POLLIN = 1;
/** Time without an answer after which a server counts as failed, in milliseconds. */
const ANSWER_MS = 30_000;

function run(job: CrowdJob): CrowdResult {
  const startMs = performance.now();
  const crowd: Connection[] = [];
  for (let i = 0; i < job.connections; i++) {
    const connection = new Connection(job);
    connection.request(job.path, false);
    if (job.bytesPerSecond === 0) finish(connection, job.size);
    crowd.push(connection);
  }
  console.log(JSON.stringify({ open: true }));
  const complete = job.bytesPerSecond === 0 ? wait(crowd, job) : readAll(crowd, job);
  const { user, system } = process.cpuUsage();
  const seconds = (performance.now() - startMs) / 1000;
  return { complete, seconds, cpuSeconds: (user + system) / 1e6 };
}

function wait(crowd: readonly Connection[], { path, size }: CrowdJob): number {
  while (sleepUntil(performance.now() + INTERVAL_MS));
  return crowd.filter((connection) => {
    try {
      connection.request(path, false);
    } catch {
      return false;
    }
    return finish(connection, size);
  }).length;
}

/** Reads an answer to its end; returns false if the connection ends early. */
function finish(connection: Connection, size: number): boolean {
  while (connection.length < 0 || connection.received < size) {
    const taken = connection.discard(size);
    if (taken === "end") return false;
    if (taken === "wait" && raw.poll(connection.fd, POLLIN, ANSWER_MS) === 0) return false;
  }
  return connection.received === size && connection.length === size;
}

function readAll(crowd: readonly Connection[], { bytesPerSecond, size }: CrowdJob): number {
  const share = bytesPerSecond * INTERVAL_MS / 1000;
  let complete = 0;
  let left = crowd.length;
  const over = new Set<Connection>();
  const startMs = performance.now();
  for (let tick = 1; left > 0 && sleepUntil(startMs + tick * TICK_MS); tick++) {
    for (let i = tick % GROUPS; i < crowd.length; i += GROUPS) {
      const connection = crowd[i]!;
      if (over.has(connection)) continue;
      const ended = take(connection, share) === "end";
      if (!ended && (connection.length < 0 || connection.received < size)) continue;
      over.add(connection);
      left--;
      if (connection.received === size && connection.length === size) complete++;
    }
  }
  return complete;
}

/** Takes the bytes that are due, if they have arrived. */
function take(connection: Connection, share: number): "wait" | "end" | "done" {
  for (let owed = share; owed >= 1;) {
    const count = connection.discard(owed);
    if (typeof count === "string") return count;
    // The head does not count.
    owed -= count;
  }
  return "done";
}

console.log(JSON.stringify(run(JSON.parse(process.argv[2]!))));
