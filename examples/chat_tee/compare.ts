/**
 * Measures what a chat room costs by tee(2) and with buffers, side by side:
 * `node examples/chat_tee/compare.ts [--members N] [--seconds S]`, or with bun or `deno run -A`.
 *
 * One member sends, all others receive; the next message follows when everybody has the last one.
 * The figures are CPU time of the room's process for one delivery. The messages are received in
 * this process, and discarded in the kernel.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as sys from "../../src/sys/mod.ts";

const { raw } = sys;
const SIZES = [64, 1024, 4096, 16_384, 65_536];
/** Turns of both rooms for each size; the table has the better ones. */
const ROUNDS = 3;
/** Ticks of the kernel's CPU times per second. */
const TICKS = 100;
const GIVE_UP_MS = 10_000;
const USAGE = "Usage: compare [--members N] [--seconds S]";

const { members, seconds } = parse();
const children: ChildProcess[] = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

try {
  const rooms = [await join("tee", []), await join("buffer", ["--copy"])];
  console.log(`${members} members, CPU microseconds per delivery`);
  console.log(["bytes", "tee", "buffer", "tee/buffer"].map((text) => text.padStart(12)).join(""));
  let wins: number | undefined;
  for (const size of SIZES) {
    const best = rooms.map(() => Infinity);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, room] of rooms.entries()) {
        best[i] = Math.min(best[i]!, await measure(room, size));
      }
    }
    const [tee, buffer] = best as [number, number];
    if (tee < buffer) wins ??= size;
    else wins = undefined;
    const cells = [String(size), tee.toFixed(2), buffer.toFixed(2), (tee / buffer).toFixed(2)];
    console.log(cells.map((text) => text.padStart(12)).join(""));
  }
  console.log(
    wins === undefined ? "tee loses with every size here" : `tee wins from ${wins} bytes on here`,
  );
  process.exit();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

function parse(): { members: number; seconds: number } {
  try {
    const { values } = parseArgs({
      options: {
        members: { type: "string", default: "1000" },
        seconds: { type: "string", default: "1" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const members = Number(values.members);
    const seconds = Number(values.seconds);
    if (!(Number.isInteger(members) && members > 1)) throw new Error("At least 2 members");
    if (!(seconds > 0)) throw new Error(`No time: "${values.seconds}"`);
    return { members, seconds };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

/** A running room, and our connections to it. */
interface Joined {
  readonly name: string;
  readonly pid: number;
  readonly sender: number;
  readonly epoll: number;
}

async function join(name: string, args: readonly string[]): Promise<Joined> {
  const file = fileURLToPath(new URL("./main.ts", import.meta.url));
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const child = spawn(process.execPath, [...deno, file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const ended = once(child, "exit").then(() => {
    throw new Error(`Cannot open the room "${name}"`);
  });
  ended.catch(() => {});
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), ended]);
  const address = JSON.parse(line) as sys.SocketAddress;
  const epoll = sys.epollCreate1(sys.EpollFlag.CLOEXEC);
  const connections = Array.from({ length: members }, () => {
    const { STREAM, CLOEXEC } = sys.SocketType;
    const fd = sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC);
    sys.connect(fd, address);
    sys.setStatusFlags(fd, sys.OpenFlag.NONBLOCK);
    sys.epollCtl(epoll, sys.EpollOp.ADD, fd, sys.EpollEvent.IN);
    return fd;
  });
  const room = { name, pid: child.pid!, sender: connections[0]!, epoll };
  // Sent again until all have joined: a connection exists before the room has accepted it.
  while (exchange(room, new Uint8Array(1), 200) < members - 1);
  return room;
}

/** Sends messages of this size for a while. Returns CPU microseconds per delivery. */
async function measure(room: Joined, size: number): Promise<number> {
  const message = new Uint8Array(size).fill(46);
  const before = cpuMicroseconds(room.pid);
  const endMs = performance.now() + seconds * 1e3;
  let count = 0;
  for (; count === 0 || performance.now() < endMs; count++) {
    const received = exchange(room, message, GIVE_UP_MS);
    if (received !== size * (members - 1)) {
      throw new Error(`The room "${room.name}" has delivered ${received} bytes only`);
    }
    // Lets signals arrive.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return (cpuMicroseconds(room.pid) - before) / (count * (members - 1));
}

/** Sends a message and receives it everywhere. Returns the bytes received. */
function exchange(room: Joined, message: Uint8Array, waitMs: number): number {
  const expected = message.length * (members - 1);
  const events = new raw.EventList(256);
  let sent = 0;
  let received = 0;
  while (received < expected) {
    if (sent < message.length) {
      const count = raw.send(room.sender, message.subarray(sent), sys.MessageFlag.NOSIGNAL);
      if (count > 0) sent += count;
    }
    const count = events.wait(room.epoll, sent < message.length ? 1 : waitMs);
    if (count <= 0 && sent === message.length) return received;
    for (let i = 0; i < count; i++) {
      const bytes = raw.recvDiscard(events.fd(i), 1 << 20, 0);
      if (bytes === 0) throw new Error(`The room "${room.name}" has closed a connection`);
      if (bytes > 0) received += bytes;
    }
  }
  return received;
}

/** CPU time of a process so far, from proc(5). */
function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // After the name, which may contain anything: the fields from "state" on.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * (1e6 / TICKS);
}
