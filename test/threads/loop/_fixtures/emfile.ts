/** Fills its table of descriptors, has three connections refused, frees some, and takes one. @module */

import * as sys from "../../../../src/sys/mod.ts";
import { Acceptor } from "../../../../src/threads/loop/acceptor.ts";
import { Timer } from "../../../../src/threads/loop/timers.ts";
import { Scope } from "../../../_kit/fds.ts";
import { testLoop } from "../_job.ts";

const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const EMFILE = -24;

const scope = new Scope();
const fd = scope.fd(sys.socket(sys.AddressFamily.INET, STREAM | NONBLOCK | CLOEXEC));
sys.bind(fd, { family: "IPv4", address: "127.0.0.1", port: 0 });
sys.listen(fd, 10);
const { loop, run, stop } = testLoop(scope);
const counts = { accepted: 0, refused: 0 };
const acceptor = new Acceptor(loop, fd, {
  accepted(connection) {
    sys.close(connection);
    counts.accepted++;
    stop();
  },
  refused: () => void counts.refused++,
});
const address = sys.getsockname(fd);
const clients = Array.from({ length: 4 }, () => sys.socket(sys.AddressFamily.INET, STREAM));
for (const client of clients.slice(0, 3)) sys.connect(client, address);

const hoard: number[] = [];
for (let next; (next = sys.raw.eventfd(0, 0)) !== EMFILE;) hoard.push(next);
const poll = {
  onTimeout() {
    if (counts.refused < 3) return loop.timers.start(timer, 10);
    // The peers are told: they read the end.
    for (const client of clients.slice(0, 3)) sys.read(client, new Uint8Array(1));
    for (const number of hoard) sys.close(number);
    sys.connect(clients[3]!, address);
  },
};
const timer = new Timer(poll);
loop.timers.start(timer, 10);
run();
acceptor.close();
console.log(`refused ${counts.refused}, then accepted ${counts.accepted}`);
