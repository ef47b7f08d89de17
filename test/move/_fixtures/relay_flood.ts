/**
 * `relay_flood.ts serve` listens, prints its port, throws away what comes on connections that begin
 * with `G`, and sends back what comes on others. `relay_flood.ts flood PORT` connects, prints
 * the port, and sends `G` without end.
 *
 * @module
 */

import process from "node:process";
import * as sys from "../../../src/sys/mod.ts";
import { Listener, Peer } from "../../_kit/peer.ts";

const GREEDY = "G".charCodeAt(0);
const { IN } = sys.PollEvent;

function serve(): never {
  const listener = new Listener();
  console.log((listener.address as { port: number }).port);
  const buffer = new Uint8Array(1024 * 1024);
  const peers: Peer[] = [];
  for (;;) {
    sys.poll([listener, ...peers].map(({ fd }) => ({ fd, events: IN })), 250);
    if (!listener.quiet) peers.push(listener.accept());
    for (const peer of peers) {
      const count = peer.receiveSome(buffer);
      if (count > 0 && buffer[0] !== GREEDY) peer.send(buffer.subarray(0, count));
      if (count === 0) peers.splice(peers.indexOf(peer), 1)[0]!.close();
    }
  }
}

function flood(port: number): never {
  const peer = Peer.connect({ family: "IPv4", address: "127.0.0.1", port });
  console.log(port);
  const bytes = new Uint8Array(1024 * 1024).fill(GREEDY);
  for (;;) peer.send(bytes);
}

const [what, port] = process.argv.slice(2);
if (what === "serve") serve();
flood(Number(port));
