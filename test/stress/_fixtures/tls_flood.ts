/**
 * Handshakes that do not end: `tls_flood.ts PORT COUNT`. A third of the connections says nothing, a third
 * sends a ClientHello byte by byte, a third sends garbage. Each that the server ends is made again.
 * Prints a line once all are connected, and a {@linkcode FloodResult} after stdin was closed.
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { recordHello } from "../../_kit/client_hello.ts";

/** Result of the flood. */
export interface FloodResult {
  /** Connections that the server has ended. */
  readonly ended: number;
  /** Received bytes that are no TLS record. */
  readonly strange: number;
}

const PORT = Number(process.argv[2]);
const COUNT = Number(process.argv[3]);
const DRIBBLE_MS = 400;
const AGAIN_MS = 1000;

const result = { ended: 0, strange: 0 };
let connected = 0;
let ending = false;
let seed = 1;
const random = () => (seed = seed * 48_271 % 0x7fff_ffff) & 255;

/** A record of random bytes that claims to be a handshake. */
function garbage(): Uint8Array {
  const bytes = Uint8Array.from({ length: 305 }, random);
  bytes.set([22, 3, 1, 1, 44, 1, 0, 1, 40]);
  return bytes;
}

const dribblers = new Map<Socket, number>();
const hello = await recordHello();

function open(kind: number): void {
  const socket = connect(PORT, "127.0.0.1");
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.once("connect", () => {
    if (++connected === COUNT) console.log("open");
    if (kind === 1) dribblers.set(socket, 0);
    else if (kind === 2) socket.write(garbage());
  });
  socket.on("data", (bytes: Uint8Array) => {
    const [type, major] = bytes;
    if (major !== 3 || type! < 20 || type! > 23) result.strange += bytes.length;
    if (Buffer.from(bytes).includes("HTTP/1")) result.strange += bytes.length;
  });
  socket.once("close", () => {
    dribblers.delete(socket);
    if (ending) return;
    result.ended++;
    setTimeout(() => ending || open(kind), AGAIN_MS);
  });
}

for (let i = 0; i < COUNT; i++) {
  open(i % 3);
  // The server's queue of connections is shorter than this.
  if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 5));
}
setInterval(() => {
  for (const [socket, at] of dribblers) {
    if (at >= hello.length) continue;
    socket.write(hello.subarray(at, at + 1));
    dribblers.set(socket, at + 1);
  }
}, DRIBBLE_MS);
process.stdin.on("end", () => {
  ending = true;
  console.log(JSON.stringify(result));
  process.exit();
}).resume();
