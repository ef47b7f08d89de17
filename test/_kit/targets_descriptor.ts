/** Targets that are plain descriptors, created by system calls. @module */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { platform } from "../../ffi/platform/mod.ts";
import { errnoNumber } from "../../src/errors.ts";
import * as raw from "../../src/sys/raw/mod.ts";
import { Reader } from "./bytes.ts";
import type { Pair } from "./targets.ts";
import { destroyed, listen, peerOf, stop } from "./targets_net.ts";

const { AF_INET } = platform.socket;
const { NONBLOCK, CLOEXEC } = platform.open;
const SOCK_STREAM = 1;
const POLLOUT = 4;

/** `struct sockaddr_in` of a port on the loopback interface. */
export function loopback(port: number): Uint8Array {
  const address = new DataView(new ArrayBuffer(16));
  address.setUint16(0, AF_INET, true);
  address.setUint16(2, port);
  address.setUint32(4, 0x7f00_0001);
  return new Uint8Array(address.buffer);
}

export const openTcp = async (): Promise<Pair> => {
  const server = createServer();
  const port = await listen(server);
  const fd = raw.socket(AF_INET, SOCK_STREAM | NONBLOCK | CLOEXEC, 0);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  assert.equal(raw.connect(fd, loopback(port)), -errnoNumber("EINPROGRESS"));
  const [peer] = await accepted;
  assert.equal(raw.poll(fd, POLLOUT, 1000), POLLOUT);
  return descriptorPair(fd, peerOf(peer), async () => {
    await destroyed(peer);
    await stop(server);
  });
};

export const openPipe = (): Promise<Pair> => {
  const fds = new Int32Array(2);
  assert.equal(raw.pipe2(fds, NONBLOCK | CLOEXEC), 0);
  const stream = readPipe(fds[0]!);
  const peer = { reader: new Reader(stream), reset: () => void stream.destroy() };
  const close = async () => {
    if (stream.closed) return;
    stream.destroy();
    await once(stream, "close");
  };
  return Promise.resolve(descriptorPair(fds[1]!, peer, close));
};

function descriptorPair(
  fd: number,
  peer: Pick<Pair, "reader" | "reset">,
  close: () => Promise<void>,
): Pair {
  let open = true;
  const end = () => {
    if (open) raw.close(fd);
    open = false;
  };
  return {
    target: fd,
    write: (bytes) => assert.equal(raw.write(fd, bytes), bytes.length),
    queue: null,
    end,
    destroy: end,
    ...peer,
    async close() {
      end();
      await close();
    },
  };
}

/** Polls a pipe: Deno has no other way to read a descriptor that it did not open. */
function readPipe(fd: number): Readable {
  const buffer = new Uint8Array(64 * 1024);
  return new Readable({
    read() {
      if (this.destroyed) return;
      const count = raw.read(fd, buffer);
      if (count === -errnoNumber("EAGAIN")) setTimeout(() => this._read(0), 1);
      else this.push(count > 0 ? Buffer.from(buffer.subarray(0, count)) : null);
    },
    destroy(error, done) {
      raw.close(fd);
      done(error);
    },
  });
}
