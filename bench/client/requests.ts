/**
 * Requests one file repeatedly on keep-alive connections, and drops the bytes inside the kernel.
 *
 * `requests.ts '{"port":1,"clients":16,"path":"/a","size":1,"forMs":1000}'` prints one
 * {@linkcode RequestsResult} as JSON.
 *
 * @module
 */

import process from "node:process";
import * as raw from "../../src/sys/raw/mod.ts";
import { Connection, must } from "./connection.ts";

/** The job. */
export interface RequestsJob {
  readonly port: number;
  /** Connections, each with one request at a time. */
  readonly clients: number;
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Time from when all connections are open. */
  readonly forMs: number;
}

/** Result of a run. */
export interface RequestsResult {
  /** Complete answers. */
  readonly answers: number;
  readonly seconds: number;
  /** CPU seconds of this process. Near `seconds`, the client was the bottleneck. */
  readonly cpuSeconds: number;
}

const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const COUNT = 1024 * 1024;

function run({ port, clients, path, size, forMs }: RequestsJob): RequestsResult {
  const epoll = must("epoll_create1", raw.epollCreate1(0));
  const events = new raw.EventList(256);
  const open = new Map<number, Connection>();
  for (let i = 0; i < clients; i++) {
    const connection = new Connection({ port });
    open.set(connection.fd, connection);
    must("epoll_ctl", raw.epollCtl(epoll, EPOLL_CTL_ADD, connection.fd, EPOLLIN));
    connection.request(path, false);
  }
  // Thousands of connections take as long to open as the rest.
  const startMs = performance.now();
  let answers = 0;
  while (performance.now() - startMs < forMs) {
    const count = must("epoll_wait", events.wait(epoll, 250));
    for (let i = 0; i < count; i++) {
      const connection = open.get(events.fd(i))!;
      const taken = connection.discard(Math.min(COUNT, size));
      if (taken === "end") throw new Error("The server has closed a connection");
      if (connection.length < 0 || connection.received < size) continue;
      if (connection.length !== size || connection.received !== size) {
        throw new Error(`${connection.received} of ${connection.length} bytes instead of ${size}`);
      }
      answers++;
      connection.request(path, false);
    }
  }
  const { user, system } = process.cpuUsage();
  return {
    answers,
    seconds: (performance.now() - startMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
  };
}

console.log(JSON.stringify(run(JSON.parse(process.argv[2]!))));
