/** The receiving process: discards the bytes, or computes their checksum. @module */

import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import process from "node:process";
import { platform } from "../../../ffi/platform/mod.ts";
import { decodeAddress, encodeAddress, MAX_ADDRESS } from "../../sys/net/address.ts";
import * as raw from "../../sys/raw/mod.ts";
import { must } from "./calls.ts";

const { socket: numbers, open: bits } = platform;
const STREAM = 1;
const POLLIN = 1;
const WRITE_ONLY = 1;
const MB = 1024 * 1024;
/** Interval of checks whether the parent is still alive, in milliseconds. */
const PATIENCE_MS = 250;

/** The job, from the arguments of the hidden command. */
export interface SinkJob {
  /**
   * Named pipe to read from. Without it, the process prints a port of its own and listens there.
   */
  readonly fifo?: string;
  /** Whether to compute checksums, which means reading the bytes. */
  readonly hash: boolean;
}

/** Line of JSON for each connection or writer; the first line is `{ port }`. */
export interface Drained {
  readonly bytes: number;
  readonly sha256: string | null;
}

/** Runs until it is killed or its parent has ended. */
export function runSink(text: string): void {
  const { fifo, hash } = JSON.parse(text) as SinkJob;
  const parent = process.ppid;
  const orphaned = () => process.ppid !== parent;
  if (fifo !== undefined) return drainPipes(fifo, hash ? checksum : swallow, orphaned);
  const listener = listen();
  while (!orphaned()) {
    if (raw.poll(listener, POLLIN, PATIENCE_MS) <= 0) continue;
    const fd = must(raw.accept4(listener, numbers.SOCK_CLOEXEC), "accept4");
    say((hash ? checksum : discard)(fd));
    raw.close(fd);
  }
}

/** Drains one writer after the other. */
function drainPipes(fifo: string, drain: (fd: number) => Drained, orphaned: () => boolean): void {
  writeSync(1, `${JSON.stringify({ port: 0 })}\n`);
  while (!orphaned()) {
    // A blocking open would wait for a writer even if the parent has ended.
    const fd = must(raw.open(fifo, bits.NONBLOCK | bits.CLOEXEC, 0), "open");
    while (raw.poll(fd, POLLIN, PATIENCE_MS) <= 0 && !orphaned());
    raw.fcntl(fd, platform.fcntl.SETFL, 0);
    const drained = orphaned() ? undefined : drain(fd);
    // Closes before the report: the next writer must not find this end still open.
    // this one has stopped.
    raw.close(fd);
    if (drained !== undefined) say(drained);
  }
}

function listen(): number {
  const fd = must(raw.socket(numbers.AF_INET, STREAM | numbers.SOCK_CLOEXEC, 0), "socket");
  must(raw.bind(fd, encodeAddress({ family: "IPv4", address: "127.0.0.1", port: 0 })), "bind");
  must(raw.listen(fd, 8), "listen");
  const bytes = new Uint8Array(MAX_ADDRESS);
  const length = must(raw.getsockname(fd, bytes), "getsockname");
  const address = decodeAddress(bytes.subarray(0, length));
  writeSync(1, `${JSON.stringify({ port: "port" in address ? address.port : 0 })}\n`);
  return fd;
}

/** Drains by `recv(MSG_TRUNC)`: the kernel drops the bytes, so the figures show the sender. */
function discard(fd: number): Drained {
  let bytes = 0;
  for (let count = 1; count > 0; bytes += Math.max(0, count)) count = raw.recvDiscard(fd, MB, 0);
  return { bytes, sha256: null };
}

/** Drains by splicing into /dev/null, without copying. */
function swallow(fd: number): Drained {
  raw.fcntl(fd, platform.fcntl.SETPIPE_SZ, MB);
  const nowhere = must(raw.open("/dev/null", WRITE_ONLY | bits.CLOEXEC, 0), "open");
  let bytes = 0;
  for (let count = 1; count > 0; bytes += count) {
    count = must(raw.splice(fd, null, nowhere, null, MB, 0), "splice");
  }
  return { bytes, sha256: null };
}

function checksum(fd: number): Drained {
  const buffer = new Uint8Array(MB);
  const hash = createHash("sha256");
  let bytes = 0;
  for (;;) {
    const count = must(raw.read(fd, buffer), "read");
    if (count === 0) return { bytes, sha256: hash.digest("hex") };
    hash.update(buffer.subarray(0, count));
    bytes += count;
  }
}

function say(drained: Drained): void {
  writeSync(1, `${JSON.stringify(drained)}\n`);
}
