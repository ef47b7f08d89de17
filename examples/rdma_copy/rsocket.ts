/**
 * Sockets over RDMA: rsocket(7) of librdmacm, through the runtime's own foreign function interface.
 *
 * They work like TCP sockets, with two more calls: `riomap()` opens memory to the peer, and
 * `riowrite()` stores bytes there without a call on the other side.
 *
 * @module
 */

import { setImmediate, setTimeout } from "node:timers/promises";
import { addressOf, fold, libc } from "../../ffi/libc/mod.ts";
import { backend } from "../../ffi/mod.ts";
import type { Bound } from "../../ffi/types.ts";
import { errnoName } from "../../src/errors.ts";
import { encodeAddress } from "../../src/sys/net/address.ts";

const TABLE = {
  rsocket: { args: ["i32", "i32", "i32"], returns: "i32" },
  rbind: { args: ["i32", "buffer", "u32"], returns: "i32" },
  rlisten: { args: ["i32", "i32"], returns: "i32" },
  raccept: { args: ["i32", "address", "address"], returns: "i32" },
  rconnect: { args: ["i32", "buffer", "u32"], returns: "i32" },
  rsend: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
  rrecv: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
  rpoll: { args: ["buffer", "u64", "i32"], returns: "i32" },
  rshutdown: { args: ["i32", "i32"], returns: "i32" },
  rclose: { args: ["i32"], returns: "i32" },
  rsetsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
  // `off_t riomap(int socket, void *memory, size_t length, int protection, int flags, off_t offset)`
  riomap: { args: ["i32", "address", "u64", "i32", "i32", "i64"], returns: "i64" },
  riounmap: { args: ["i32", "address", "u64"], returns: "i32" },
  // `size_t riowrite(int socket, const void *bytes, size_t count, off_t offset, int flags)`
  riowrite: { args: ["i32", "buffer", "u64", "i64", "i32"], returns: "i64" },
} as const;

/** Time without progress after which the peer counts as gone, in milliseconds. */
const PATIENCE_MS = 15_000;
/** Turns of the event loop before a wait begins to sleep, and the sleep in milliseconds. */
const TURNS = 100;
const SLEEP_MS = 2;
/** Longest message in bytes. */
const LONGEST = 4096;

const [AF_INET, AF_INET6, SOCK_STREAM, SHUT_RDWR] = [2, 10, 1, 2];
const [SOL_SOCKET, SO_REUSEADDR, SOL_RDMA, RDMA_IOMAPSIZE] = [1, 2, 0x10000, 3];
const [POLLIN, POLLOUT, MSG_DONTWAIT, EINTR, EAGAIN] = [1, 4, 0x40, 4, 11];
const PROT_WRITE = 2;
/** Codes of rsocket() without a device, or without the kernel's modules for them. */
const NO_DEVICE = new Set(["ENODEV", "ENOENT", "EAFNOSUPPORT"]);

/** The library or the device is missing. */
export class NoRdmaError extends Error {}

/** The bound library, and the signal that ends every wait. */
export interface Rdma {
  readonly calls: Bound<typeof TABLE>;
  readonly signal: AbortSignal;
}

/** Loads the library. */
export function loadRdma(signal: AbortSignal, library = "librdmacm.so.1"): Rdma {
  libc(); // which finds errno
  try {
    return { calls: backend().bind(library, TABLE), signal };
  } catch (cause) {
    const remedy = "install the packages librdmacm1 and ibverbs-providers (Debian), or rdma-core";
    throw new NoRdmaError(`Cannot load ${library}: ${remedy}`, { cause });
  }
}

/** A socket. Its waits let the event loop run, and throw when the peer is silent for too long. */
export class RdmaSocket {
  readonly #rdma: Rdma;
  readonly #fd: number;
  /** Whether the peer has gone without a word. */
  #lost = false;

  private constructor(rdma: Rdma, fd: number) {
    this.#rdma = rdma;
    this.#fd = fd;
  }

  /** Listens on a numeric address, which selects the device. */
  static listen(rdma: Rdma, address: string, port: number): RdmaSocket {
    const { socket, encoded } = RdmaSocket.#open(rdma, address, port);
    const action = `listen on ${address}, port ${port}`;
    socket.#option(SOL_SOCKET, SO_REUSEADDR);
    check(rdma.calls.rbind(socket.#fd, encoded, encoded.length), action);
    check(rdma.calls.rlisten(socket.#fd, 16), action);
    return socket;
  }

  /** Connects; librdmacm itself gives up after some seconds. */
  static connect(rdma: Rdma, address: string, port: number): RdmaSocket {
    const { socket, encoded } = RdmaSocket.#open(rdma, address, port);
    const result = rdma.calls.rconnect(socket.#fd, encoded, encoded.length);
    check(result, `connect to ${address}, port ${port}`);
    return socket;
  }

  static #open(rdma: Rdma, address: string, port: number) {
    const family = address.includes(":") ? "IPv6" : "IPv4";
    const encoded = encodeAddress({ family, address, port });
    const fd = fold(rdma.calls.rsocket(family === "IPv6" ? AF_INET6 : AF_INET, SOCK_STREAM, 0));
    if (fd < 0 && NO_DEVICE.has(errnoName(-fd))) {
      throw new NoRdmaError(
        `There is no RDMA device (rsocket: ${
          errnoName(-fd)
        }). For soft-RoCE, install rdma-core and ` +
          "iproute2, then: modprobe -a rdma_rxe rdma_ucm; rdma link add rxe0 type rxe netdev INTERFACE",
      );
    }
    const socket = new RdmaSocket(rdma, check(fd, "open an RDMA socket"));
    // Both sides must announce before they connect how many pieces of memory may be mapped.
    socket.#option(SOL_RDMA, RDMA_IOMAPSIZE);
    return { socket, encoded };
  }

  /** Sets an option to 1. */
  #option(level: number, name: number): void {
    const one = new Uint8Array(new Int32Array([1]).buffer);
    check(this.#rdma.calls.rsetsockopt(this.#fd, level, name, one, 4), "set an option");
  }

  /** Waits for a client, however long. */
  async accept(): Promise<RdmaSocket> {
    await this.#wait(POLLIN, Infinity);
    const fd = check(this.#rdma.calls.raccept(this.#fd, 0n, 0n), "accept a connection");
    return new RdmaSocket(this.#rdma, fd);
  }

  /** Sends all bytes. */
  async send(bytes: Uint8Array): Promise<void> {
    const { rsend } = this.#rdma.calls;
    await this.#all(POLLOUT, bytes, "send", (rest) => {
      return rsend(this.#fd, rest, BigInt(rest.length), MSG_DONTWAIT);
    });
  }

  /** Fills `bytes`. */
  async receive(bytes: Uint8Array): Promise<Uint8Array> {
    const { rrecv } = this.#rdma.calls;
    await this.#all(POLLIN, bytes, "receive", (rest) => {
      return rrecv(this.#fd, rest, BigInt(rest.length), MSG_DONTWAIT);
    });
    return bytes;
  }

  /** Opens memory to the peer, and returns the offset by which the peer names it. */
  map(memory: Uint8Array): number {
    const length = BigInt(memory.length);
    const any = -1n;
    const at = this.#rdma.calls.riomap(this.#fd, addressOf(memory), length, PROT_WRITE, 0, any);
    return check(at, "map memory for the peer (ulimit -l limits it)");
  }

  /** Closes memory to the peer. */
  unmap(memory: Uint8Array): void {
    this.#rdma.calls.riounmap(this.#fd, addressOf(memory), BigInt(memory.length));
  }

  /** Stores bytes into the peer's memory. What is sent later arrives later. */
  async put(bytes: Uint8Array, offset: number): Promise<void> {
    const { riowrite } = this.#rdma.calls;
    await this.#all(POLLOUT, bytes, "write into the peer's memory", (rest, done) => {
      const at = BigInt(offset + done);
      return riowrite(this.#fd, rest, BigInt(rest.length), at, MSG_DONTWAIT);
    });
  }

  /** Sends a message: its length in four bytes, then JSON. */
  async tell(message: unknown): Promise<void> {
    const text = Buffer.from(JSON.stringify(message));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    await this.send(Buffer.concat([length, text]));
  }

  /** Receives a message. */
  async hear(): Promise<Record<string, unknown>> {
    const length = Buffer.from(await this.receive(new Uint8Array(4))).readUInt32BE();
    if (length > LONGEST) throw new Error(`The peer sends a message of ${length} bytes`);
    const message = JSON.parse(Buffer.from(await this.receive(new Uint8Array(length))).toString());
    if (typeof message !== "object" || message === null) throw new Error("Not a message");
    return message;
  }

  /** Whether the peer has sent something, or has gone. */
  get readable(): boolean {
    return this.#ready(POLLIN);
  }

  /**
   * Ends the connection. One whose peer was lost stays until the process ends: rshutdown(3) and
   * rclose(3) would wait for that peer, for ever and without a time limit.
   */
  close(): void {
    if (this.#lost) return;
    this.#rdma.calls.rshutdown(this.#fd, SHUT_RDWR);
    this.#rdma.calls.rclose(this.#fd);
  }

  /** Calls `step` for the rest of the bytes until none is left. */
  async #all(
    events: number,
    bytes: Uint8Array,
    verb: string,
    step: (rest: Uint8Array, done: number) => number | bigint,
  ): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const count = fold(step(bytes.subarray(done), done));
      if (count < 0 && count !== -EAGAIN && count !== -EINTR) this.#lost = true;
      if (count === 0) throw new Error(`Cannot ${verb}: the peer has closed the connection`);
      if (count === -EAGAIN || count === -EINTR) await this.#wait(events, PATIENCE_MS);
      else done += checked(count, `${verb} ${bytes.length} bytes`);
    }
  }

  /**
   * Waits without rpoll()'s own time limit: librdmacm 44 forgets, when that ends, that it has stopped
   * polling, and a later call then never returns.
   */
  async #wait(events: number, patienceMs: number): Promise<void> {
    const endMs = performance.now() + patienceMs;
    for (let turn = 0; !this.#ready(events); turn++) {
      await (turn < TURNS ? setImmediate() : setTimeout(SLEEP_MS));
      this.#rdma.signal.throwIfAborted();
      if (performance.now() <= endMs) continue;
      this.#lost = true;
      throw new Error(`The peer did nothing for ${patienceMs} ms`);
    }
  }

  /** Whether one of the events, an error or the end has come. */
  #ready(events: number): boolean {
    const entry = new Uint8Array(new Int32Array([this.#fd, events]).buffer);
    const ready = fold(this.#rdma.calls.rpoll(entry, 1n, 0));
    return ready !== -EINTR && checked(ready, "wait for the peer") > 0;
  }
}

/** Returns the result of a call, or throws its errno. */
function check(result: number | bigint, action: string): number {
  return checked(fold(result), action);
}

function checked(value: number, action: string): number {
  if (value < 0) throw new Error(`${errnoName(-value)}: Cannot ${action}`);
  return value;
}
