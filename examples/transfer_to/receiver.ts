/**
 * The receiver, in a process of its own: accepts one connection after another, and discards what
 * arrives inside the kernel, so that it costs every sender the same. Prints its port, and ends when
 * its standard input closes, that is, with its parent.
 *
 * @module
 */

import process from "node:process";
import * as sys from "../../src/sys/mod.ts";

const { raw } = sys;
const { STREAM, CLOEXEC } = sys.SocketType;
const STDIN = 0;
const SIZE = 1024 * 1024;

// Ctrl-C reaches all processes of the terminal. This one ends after its parent, by its input.
process.on("SIGINT", () => {});

const listener = sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC);
sys.bind(listener, { family: "IPv4", address: "127.0.0.1", port: 0 });
sys.listen(listener, 16);
console.log(JSON.stringify(sys.getsockname(listener)));

const { IN } = sys.PollEvent;
for (;;) {
  const [input] = sys.poll([{ fd: STDIN, events: IN }, { fd: listener, events: IN }], -1);
  if (input !== 0) break;
  const connection = sys.accept4(listener, CLOEXEC);
  // Ends at the end of the stream, and when the sender dies.
  while (raw.recvDiscard(connection, SIZE, 0) > 0);
  sys.close(connection);
}
process.exit();
