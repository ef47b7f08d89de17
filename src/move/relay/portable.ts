/** A relay through the runtime's own sockets, without foreign calls. @module */

import type { Server, Socket } from "node:net";
import { builtin } from "../../builtins.ts";
import { errnoNumber } from "../../errors.ts";
import { reset } from "../../runtime/reset.ts";
import type { SocketAddress } from "../../sys/net/address.ts";
import { copyPair } from "./copying.ts";
import { Count, type Counters } from "./server/counters.ts";
import { fitConnections } from "./server/room.ts";
import { dialPortably } from "./server/dial_portably.ts";
import { hostOfAddress } from "./endpoint.ts";
import type { CheckedOptions } from "./server/options.ts";
import { RelayTraces } from "./server/traces.ts";
import type { Side } from "./side.ts";

/** Accepts and copies; counts like the threads do. */
export class PortableRelay {
  readonly #options: CheckedOptions;
  readonly #counters: Counters;
  readonly #upstreams: readonly SocketAddress[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #relays = new Set<Promise<void>>();
  #traces: RelayTraces | undefined;
  #lastNumber = 0;

  /** Relays to the first of `upstreams` that answers. Call {@linkcode listen} next. */
  constructor(options: CheckedOptions, counters: Counters, upstreams: readonly SocketAddress[]) {
    this.#options = options;
    this.#counters = counters;
    this.#upstreams = upstreams;
    const settings = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
    this.#server = builtin("net").createServer(settings, (client) => {
      const relaying = this.#relay(client).finally(() => this.#relays.delete(relaying));
      this.#relays.add(relaying);
    });
    // More connections are closed at once: node:net cannot leave them in the kernel's queue.
    this.#server.maxConnections = fitConnections(options.maxConnections, 0);
  }

  /** Starts to accept; resolves to the address. */
  async listen(address: SocketAddress): Promise<SocketAddress> {
    if (RelayTraces.wanted()) this.#traces = new RelayTraces();
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(optionsOf(address), resolve);
    });
    const bound = this.#server.address();
    if (address.family === "Unix" || bound === null || typeof bound === "string") return address;
    return { ...address, port: bound.port };
  }

  /** Keeps the process alive. */
  ref(): void {
    this.#server.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.#server.unref();
  }

  /** Stops accepting; resolves when no connection is left, and each is counted and traced. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all(this.#relays);
  }

  /** Closes all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #relay(client: Socket): Promise<void> {
    const counters = this.#counters;
    counters[Count.ACCEPTED]!++;
    counters[Count.ACTIVE]!++;
    this.#sockets.add(client);
    // Code that waits for the socket reports its errors.
    client.on("error", () => {});
    let broken = true;
    let failure: Error | undefined;
    const progress = this.#progress();
    const key = String(++this.#lastNumber);
    this.#traces?.start(key);
    const sockets = [client];
    try {
      const upstream = await this.#connect(client);
      if (upstream instanceof Error) return void (failure = upstream);
      sockets.push(upstream);
      this.#sockets.add(upstream);
      await copyPair(sideOf(client), sideOf(upstream), {
        idleMs: this.#options.idleMs,
        progress,
        signal: undefined,
      });
      broken = false;
    } catch (error) {
      failure = error as Error;
      const idle = (error as { code?: string }).code === "ETIMEDOUT";
      counters[idle ? Count.IDLE : Count.BROKEN]!++;
    } finally {
      for (const socket of sockets) {
        // A normal end would look like an end sent by the other side.
        if (broken) reset(socket);
        else socket.destroy();
        this.#sockets.delete(socket);
      }
      counters[Count.ACTIVE]!--;
      this.#traces?.end(key, progress.bytes, sockets.length > 1 ? "copy" : "none", failure);
    }
  }

  /** Connects to an upstream; returns the error if none answers, or the client has disconnected. */
  async #connect(client: Socket): Promise<Socket | Error> {
    const counters = this.#counters;
    const controller = new AbortController();
    const cancel = () => controller.abort();
    client.once("close", cancel);
    const targets = this.#upstreams.map(optionsOf);
    const { connectMs } = this.#options;
    try {
      return await dialPortably(targets, { connectMs, signal: controller.signal });
    } catch (error) {
      if (!client.destroyed) {
        counters[Count.UNREACHED]!++;
        counters[Count.LAST_ERRNO] = errnoNumber((error as { code?: string }).code ?? "");
      }
      return error as Error;
    } finally {
      client.off("close", cancel);
    }
  }

  /** Adds to the shared counters, in place of a pair's own counts. */
  #progress(): { bytes: number; bytesForth: number; bytesBack: number } {
    const counters = this.#counters;
    return {
      bytes: 0,
      get bytesForth() {
        return counters[Count.UP]!;
      },
      set bytesForth(value) {
        counters[Count.UP] = value;
      },
      get bytesBack() {
        return counters[Count.DOWN]!;
      },
      set bytesBack(value) {
        counters[Count.DOWN] = value;
      },
    };
  }
}

function sideOf(socket: Socket): Side {
  return { kind: "connection", connection: { kind: "socket", socket }, takeable: false };
}

function optionsOf(address: SocketAddress): { path: string } | { host: string; port: number } {
  return address.family === "Unix"
    ? { path: address.path }
    : { host: hostOfAddress(address), port: address.port };
}
