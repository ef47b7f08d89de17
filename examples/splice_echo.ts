/**
 * An echo server by plain system calls: `splice_echo.ts [PORT]`, on node, bun and deno -A alike.
 *
 * Received bytes go through a pipe back to their sender: two calls for up to 1 MiB, and none of it
 * in JavaScript. The loop blocks in epoll_wait(2), so this thread does nothing else.
 *
 * @module
 */

import process from "node:process";
import * as sys from "../src/sys/mod.ts";

const { raw } = sys;
const { IN, OUT, RDHUP, ET } = sys.EpollEvent;
const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const SIZE = 1024 * 1024;
const EAGAIN = -11;

/** A connection, and a pipe that holds bytes to send back. */
interface Echo {
  readonly fd: number;
  readonly pipe: readonly [read: number, write: number];
  held: number;
}

const listener = sys.socket(sys.AddressFamily.INET, STREAM | NONBLOCK | CLOEXEC);
sys.setsockopt(listener, sys.SocketLevel.SOCKET, sys.SocketOption.REUSEADDR, 1);
sys.bind(listener, {
  family: "IPv4",
  address: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
});
sys.listen(listener, 511);
console.log(JSON.stringify(sys.getsockname(listener)));

const epoll = sys.epollCreate1(sys.EpollFlag.CLOEXEC);
sys.epollCtl(epoll, sys.EpollOp.ADD, listener, IN);
const events = new raw.EventList(64);
const echoes = new Map<number, Echo>();

for (;;) {
  const count = events.wait(epoll, -1);
  for (let i = 0; i < count; i++) {
    const fd = events.fd(i);
    const echo = echoes.get(fd);
    if (fd === listener) accept();
    // An earlier event of the same list closed it.
    else if (echo !== undefined && !move(echo)) close(echo);
  }
}

function accept(): void {
  for (let fd; (fd = raw.accept4(listener, NONBLOCK | CLOEXEC)) >= 0;) {
    const pipe = sys.pipe2(sys.OpenFlag.NONBLOCK | sys.OpenFlag.CLOEXEC);
    echoes.set(fd, { fd, pipe, held: 0 });
    sys.epollCtl(epoll, sys.EpollOp.ADD, fd, IN | OUT | RDHUP | ET);
  }
}

/**
 * Moves bytes until the socket is empty or full. Returns false at the end of the connection.
 *
 * Fills the pipe only when it is empty. A full pipe gives the same `EAGAIN` as an empty socket.
 */
function move(echo: Echo): boolean {
  const { fd, pipe: [read, write] } = echo;
  for (;;) {
    if (echo.held === 0) {
      const count = raw.splice(fd, null, write, null, SIZE, sys.SpliceFlag.NONBLOCK);
      if (count === EAGAIN) return true;
      if (count <= 0) return false;
      echo.held = count;
    }
    const count = raw.splice(read, null, fd, null, echo.held, sys.SpliceFlag.NONBLOCK);
    if (count === EAGAIN) return true;
    if (count <= 0) return false;
    echo.held -= count;
  }
}

function close({ fd, pipe }: Echo): void {
  echoes.delete(fd);
  for (const each of [fd, ...pipe]) sys.close(each);
}
