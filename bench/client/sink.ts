/** Accepts TCP connections one after the other, and drops what they send in the kernel. @module */

import process from "node:process";
import * as sys from "../../src/sys/mod.ts";

const MOST = 16 * 1024 * 1024;

const { STREAM, CLOEXEC } = sys.SocketType;
const listener = sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC);
sys.bind(listener, { family: "IPv4", address: "127.0.0.1", port: 0 });
sys.listen(listener, 16);
const { port } = sys.getsockname(listener) as { port: number };
console.log(JSON.stringify({ port }));

// Takes turns, to notice the end of the benchmark.
const turn = (): void => {
  if (sys.raw.poll(listener, sys.PollEvent.IN, 20) > 0) {
    const socket = sys.accept4(listener, CLOEXEC);
    while (sys.raw.recvDiscard(socket, MOST, 0) > 0);
    sys.close(socket);
  }
  setImmediate(turn);
};
process.stdin.on("end", () => process.exit(0)).resume();
turn();
