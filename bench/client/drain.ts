/**
 * Downloads files on many connections at once. Drops the bytes inside the kernel, so that the
 * figures show the server.
 *
 * `drain.ts '{"port":1,"clients":100,"paths":["/a"],"sizes":[1],"limitMs":1000,"repeatMs":0}'`
 * prints one {@linkcode DrainResult} as JSON. Client `i` requests `paths[i % paths.length]`, and
 * starts again until `repeatMs` have passed. After `limitMs`, it stops at once.
 *
 * @module
 */

import process from "node:process";
import * as raw from "../../src/sys/raw/mod.ts";
import { Connection, must } from "./connection.ts";

/** The job. */
export interface DrainJob {
  readonly port: number;
  readonly clients: number;
  readonly paths: readonly string[];
  /** Bytes of the file at each path. */
  readonly sizes: readonly number[];
  readonly limitMs: number;
  readonly repeatMs: number;
}

/** Result of a run. */
export interface DrainResult {
  /** Bytes of all bodies. */
  readonly bytes: number;
  readonly seconds: number;
  /** CPU seconds of this process. Near `seconds`, the client was the bottleneck. */
  readonly cpuSeconds: number;
  /** Complete downloads. */
  readonly complete: number;
  /** Downloads that were still running at the end. */
  readonly unfinished: number;
  /** Downloads that ended with a wrong number of bytes. */
  readonly wrong: number;
}

const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;

/** Most bytes of one call, and most calls on one connection before the next one's turn. */
const COUNT = 1024 * 1024;
const TURN = 4;

function drain(job: DrainJob): DrainResult {
  const epoll = must("epoll_create1", raw.epollCreate1(0));
  const events = new raw.EventList(256);
  const open = new Map<number, { connection: Connection; client: number }>();
  const result = { bytes: 0, complete: 0, wrong: 0 };
  const startMs = performance.now();

  const start = (client: number) => {
    const connection = new Connection(job);
    connection.request(job.paths[client % job.paths.length]!, true);
    open.set(connection.fd, { connection, client });
    must("epoll_ctl", raw.epollCtl(epoll, EPOLL_CTL_ADD, connection.fd, EPOLLIN));
  };

  const end = ({ fd, received, length }: Connection, client: number) => {
    raw.close(fd);
    open.delete(fd);
    const size = job.sizes[client % job.sizes.length]!;
    if (received === size && length === size) result.complete++;
    else result.wrong++;
    if (performance.now() - startMs < job.repeatMs) start(client);
  };

  const pull = (connection: Connection, client: number) => {
    for (let turn = 0; turn < TURN; turn++) {
      const count = connection.discard(COUNT);
      if (count === "end") return end(connection, client);
      if (count === "wait") return;
      result.bytes += count;
    }
  };

  for (let client = 0; client < job.clients; client++) start(client);
  while (open.size > 0 && performance.now() - startMs < job.limitMs) {
    const count = must("epoll_wait", events.wait(epoll, 250));
    for (let i = 0; i < count; i++) {
      const { connection, client } = open.get(events.fd(i))!;
      pull(connection, client);
    }
  }
  const { user, system } = process.cpuUsage();
  return {
    ...result,
    unfinished: open.size,
    seconds: (performance.now() - startMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
  };
}

console.log(JSON.stringify(drain(JSON.parse(process.argv[2]!))));
