/**
 * Requests a small file repeatedly on one keep-alive connection until stdin is closed, and measures
 * the latency.
 *
 * `probe.ts '{"port":1,"path":"/hot","file":"/tmp/x/hot","intervalMs":5}'` prints
 * `{"probing":true}` when it begins and one {@linkcode ProbeResult} at the end, both as JSON. It
 * compares every body with the file.
 *
 * The requests have a schedule. A late request counts from the time at which it was due. Otherwise
 * a stall of the server would count once, and not for all requests that it delays ("coordinated
 * omission").
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import * as raw from "../../src/sys/raw/mod.ts";
import { percentile } from "../measure/stats.ts";
import { Connection } from "./connection.ts";
import { sleepUntil } from "./pace.ts";

/** The job. */
export interface ProbeJob {
  readonly port: number;
  readonly path: string;
  /** A file with the same bytes. */
  readonly file: string;
  readonly intervalMs: number;
}

/** Latencies in milliseconds. */
export interface ProbeResult {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const POLLIN = 1;
/** Time without an answer after which a server counts as failed, in milliseconds. */
const ANSWER_MS = 10_000;

function probe(job: ProbeJob): ProbeResult {
  const expected = readFileSync(job.file);
  const connection = new Connection(job);
  const target = new Uint8Array(expected.length);
  const times: number[] = [];
  let answeredMs = 0;
  console.log(JSON.stringify({ probing: true }));
  for (let dueMs = performance.now(); sleepUntil(dueMs); dueMs += job.intervalMs) {
    const startMs = answeredMs > dueMs ? dueMs : performance.now();
    fetchInto(target, connection, job.path);
    answeredMs = performance.now();
    times.push(answeredMs - startMs);
    if (!expected.equals(target)) throw new Error(`The bytes of "${job.path}" are wrong`);
    target.fill(0);
  }
  if (times.length === 0) throw new Error("The probe had no time for a single request");
  return {
    count: times.length,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    max: Math.max(...times),
  };
}

function fetchInto(target: Uint8Array, connection: Connection, path: string): void {
  connection.request(path, false);
  while (connection.length < 0 || connection.received < connection.length) {
    if (raw.poll(connection.fd, POLLIN, ANSWER_MS) === 0) throw new Error("The server is silent");
    if (connection.read(target) === "end") throw new Error("The server closed the connection");
  }
}

console.log(JSON.stringify(probe(JSON.parse(process.argv[2]!))));
