/**
 * sendfile(2) without checking the page cache, to show what sluice's check costs and gains.
 *
 * Does everything else as sluice does: the same connections, turns and waits.
 *
 * @module
 */

import { close, open } from "node:fs";
import { createServer } from "node:net";
import { platform } from "../../ffi/platform/mod.ts";
import { socketConnection } from "../../src/runtime/socket.ts";
import { CorkGuard, limitUnsent } from "../../src/runtime/tcp.ts";
import type { RuntimeConnection } from "../../src/runtime/types.ts";
import * as raw from "../../src/sys/raw/mod.ts";
import { answer, ignoreGone, listen } from "./harness.ts";

const WINDOW = 512 * 1024;
const TURN = 2 * 1024 * 1024;
const EAGAIN = platform.errnoNames.indexOf("EAGAIN");

listen(createServer((socket) => {
  socket.on("error", ignoreGone);
  socket.on("data", (request) => {
    const { path, size, header, last } = answer(request as Uint8Array);
    open(path, "r", (_error, file) => {
      const connection = socketConnection(socket);
      const burst = new CorkGuard(connection);
      socket.write(header, () => {
        pump(connection, burst, file, size, () => {
          burst.end();
          connection.release();
          close(file, () => {});
          if (last) socket.end();
        });
      });
    });
  });
}));

function pump(
  connection: RuntimeConnection,
  burst: CorkGuard,
  file: number,
  size: number,
  done: () => void,
): void {
  let position = 0;
  limitUnsent(connection.fd());
  const run = () => {
    const stop = Math.min(size, position + TURN);
    while (position < stop) {
      const fd = connection.fd();
      if (fd < 0) return done();
      const moved = raw.sendfile(fd, file, position, Math.min(WINDOW, stop - position));
      if (moved === -EAGAIN) {
        burst.end();
        const byte = new Uint8Array(1);
        raw.pread(file, byte, position++);
        return connection.write!(byte, run);
      }
      if (moved <= 0) return done();
      position += moved;
    }
    if (position === size) return done();
    burst.end();
    setImmediate(run);
  };
  run();
}
