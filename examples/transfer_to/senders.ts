/** The ways of sending a file that the table compares: ours and those of Java. @module */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { sendFile } from "../../src/mod.ts";
import * as sys from "../../src/sys/mod.ts";

/** What one sending took, in milliseconds. */
export interface Cost {
  readonly wallMs: number;
  /** CPU time of the sending process. The receiver is not counted. */
  readonly cpuMs: number;
}

/** A way of sending. */
export interface Sender {
  readonly name: string;
  readonly who: "sluice" | "Java";
  /** Bytes of one read and write; 0 for zero copy. */
  readonly blockSize: number;
  /** Sends the first `count` bytes of the file; resolves when the receiver has all of them. */
  send(count: number): Promise<Cost>;
}

/** Block sizes of the table; 0 is zero copy. */
const BLOCK_SIZES = [4096, 65_536, 0];

/** Our senders: read and write in a loop, and `sendFile`. */
export function ownSenders(path: string, port: number): Sender[] {
  return BLOCK_SIZES.map((blockSize) => ({
    name: blockSize === 0 ? "sendFile" : `read/write ${blockSize / 1024}K`,
    who: "sluice",
    blockSize,
    async send(count) {
      const cpu = process.cpuUsage();
      const startMs = performance.now();
      const target = sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM);
      try {
        sys.connect(target, { family: "IPv4", address: "127.0.0.1", port });
        if (blockSize === 0) await zeroCopy(path, target, count);
        else readAndWrite(path, target, count, blockSize);
        sys.shutdown(target, sys.ShutdownHow.WR);
        awaitEnd(target);
      } finally {
        sys.close(target);
      }
      const wallMs = performance.now() - startMs;
      const { user, system } = process.cpuUsage(cpu);
      return { wallMs, cpuMs: (user + system) / 1e3 };
    },
  }));
}

async function zeroCopy(path: string, target: number, length: number): Promise<void> {
  // For non-blocking sockets, sendFile needs no thread.
  sys.setStatusFlags(target, sys.OpenFlag.NONBLOCK);
  try {
    await sendFile(target, path, { length });
  } finally {
    sys.setStatusFlags(target, 0);
  }
}

/** The loop of the article. Each block is copied into this process and out of it again. */
function readAndWrite(path: string, target: number, count: number, blockSize: number): void {
  const buffer = new Uint8Array(blockSize);
  const file = sys.open(path, sys.OpenFlag.RDONLY | sys.OpenFlag.CLOEXEC);
  try {
    for (let left = count; left > 0;) {
      const length = sys.read(file, buffer);
      if (length === 0) throw new Error(`Cannot send the file: ${left} bytes are missing`);
      const block = buffer.subarray(0, Math.min(length, left));
      for (let sent = 0; sent < block.length;) {
        sent += sys.send(target, block.subarray(sent), sys.MessageFlag.NOSIGNAL);
      }
      left -= block.length;
    }
  } finally {
    sys.close(file);
  }
}

/** Waits until the receiver closes, which it does when it has everything. */
function awaitEnd(target: number): void {
  if (sys.recv(target, new Uint8Array(1)) > 0) throw new Error("The receiver has answered");
}

/** Java's senders. They share one process, so that only the first one waits for its start. */
export function javaSenders(path: string, port: number): { senders: Sender[]; close(): void } {
  const file = fileURLToPath(new URL("./TransferTo.java", import.meta.url));
  const child = spawn("java", [file, path, String(port)], { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => {});
  child.stdin.on("error", () => {}); // the missing answer reports it
  const senders = BLOCK_SIZES.map((blockSize): Sender => ({
    name: blockSize === 0 ? "transferTo" : `read/write ${blockSize / 1024}K`,
    who: "Java",
    blockSize,
    async send(count) {
      child.stdin.write(`${blockSize} ${count}\n`);
      const { value, done } = await Promise.race([answers.next(), failed]);
      if (done) throw new Error("Java has ended");
      const [wallMs, cpuMs] = String(value).split(" ").map(Number);
      return { wallMs: wallMs!, cpuMs: cpuMs! };
    },
  }));
  return { senders, close: () => end(child) };
}

function end(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
}
