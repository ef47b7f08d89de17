/**
 * Opens many connections and drops the received bytes inside the kernel. Some connections do not
 * read at all.
 *
 * `fan_out.ts '{"port":1,"readers":15,"stopped":1,"size":1,"limitMs":1000,"hash":false}'` prints
 * one {@linkcode FanOutResult} as JSON when all readers have finished.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import process from "node:process";
import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../../src/sys/raw/mod.ts";
import { Connection, must } from "./connection.ts";

/** The job. */
export interface FanOutJob {
  readonly port: number;
  readonly readers: number;
  readonly stopped: number;
  /** Bytes that each reader must get. */
  readonly size: number;
  readonly limitMs: number;
  /** Whether to read and hash the bytes instead of dropping them. */
  readonly hash: boolean;
}

/** Result of a run. */
export interface FanOutResult {
  /** Seconds from the first byte to the end of the last reader. */
  readonly seconds: number;
  /** CPU seconds of this process. */
  readonly cpuSeconds: number;
  /** Bytes of all readers. */
  readonly bytes: number;
  /** Readers that got every byte. */
  readonly complete: number;
  /** Distinct SHA-256 values, with `hash`. */
  readonly hashes: readonly string[];
}

const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const { DONTWAIT } = platform.message;

/** Most bytes of one call, and most calls on one connection before the next one's turn. */
const COUNT = 1024 * 1024;
const TURN = 4;

function fanOut({ port, readers, stopped, size, limitMs, hash }: FanOutJob): FanOutResult {
  const epoll = must("epoll_create1", raw.epollCreate1(0));
  const events = new raw.EventList(256);
  const open = new Map<number, { received: number; hash: Hash | null }>();
  const hashes = new Set<string>();
  const buffer = new Uint8Array(hash ? COUNT : 0);
  let bytes = 0;
  let complete = 0;
  let firstMs = 0;
  for (let i = 0; i < readers + stopped; i++) {
    const { fd } = new Connection({ port });
    if (i >= readers) continue;
    open.set(fd, { received: 0, hash: hash ? createHash("sha256") : null });
    must("epoll_ctl", raw.epollCtl(epoll, EPOLL_CTL_ADD, fd, EPOLLIN));
  }

  const pull = (fd: number) => {
    const reader = open.get(fd)!;
    for (let turn = 0; turn < TURN; turn++) {
      const count = hash ? raw.recv(fd, buffer, DONTWAIT) : raw.recvDiscard(fd, COUNT, DONTWAIT);
      if (count > 0) {
        firstMs ||= performance.now();
        reader.received += count;
        bytes += count;
        reader.hash?.update(buffer.subarray(0, count));
        continue;
      }
      if (platform.errnoNames[-count] === "EAGAIN") return;
      if (reader.received === size) complete++;
      if (reader.hash) hashes.add(reader.hash.digest("hex"));
      raw.close(fd);
      open.delete(fd);
      return;
    }
  };

  const startMs = performance.now();
  while (open.size > 0 && performance.now() - startMs < limitMs) {
    const count = must("epoll_wait", events.wait(epoll, 250));
    for (let i = 0; i < count; i++) pull(events.fd(i));
  }
  const seconds = (performance.now() - firstMs) / 1000;
  const { user, system } = process.cpuUsage();
  return { seconds, cpuSeconds: (user + system) / 1e6, bytes, complete, hashes: [...hashes] };
}

console.log(JSON.stringify(fanOut(JSON.parse(process.argv[2]!))));
