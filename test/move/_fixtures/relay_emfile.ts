/**
 * Relays while no descriptor is left: what is connected goes on without a pipe, and whoever connects
 * is refused; when there are some again, so is nobody. Prints what happened as JSON.
 *
 * @module
 */

import { noise } from "../../_kit/bytes.ts";
import { exchange, Peer, until } from "../../_kit/peer.ts";
import * as sys from "../../../src/sys/mod.ts";
import { rig } from "../_relay.ts";

const EMFILE = -24;

const { address, close, connect, own, relay, upstream } = await rig();
const [client, server] = connect();
const [deaf, loud] = connect();
// Short messages need no pipe. After these bytes, the thread has one.
exchange(client, server, noise(256 * 1024), new Uint8Array(0));
// Sockets that need no new descriptor later on.
const late = [0, 1].map(() =>
  own(new Peer(sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM)))
);
const hoard: number[] = [];
for (let fd; (fd = sys.raw.eventfd(0, 0)) !== EMFILE;) hoard.push(fd);

// The one pipe that there is, which both of them share, holds what nobody reads.
for (let idle = 0; idle < 20;) {
  idle = loud.sendSome(new Uint8Array(1024 * 1024)) > 0 ? 0 : idle + 1;
  await new Promise((resolve) => setTimeout(resolve, 10));
}
const bytes = noise(2 * 1024 * 1024);
const { back, forth } = exchange(client, server, bytes, bytes);
const copied = bytes.equals(forth) && bytes.equals(back);
const { pipes } = relay.stats();

sys.connect(late[0]!.fd, address);
await until(() => relay.stats().refused + relay.stats().unreached === 1, "it is refused");
const { refused } = relay.stats();

deaf.reset();
for (const fd of hoard) sys.close(fd);
sys.connect(late[1]!.fd, address);
late[1]!.send("hello");
own(upstream.accept()).receives("hello");
const spliced = exchange(client, server, bytes, bytes);
const after = bytes.equals(spliced.forth) && relay.stats().pipes > 0;
await close();
console.log(JSON.stringify({ copied, pipes, refused, after }));
