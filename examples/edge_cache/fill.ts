/** A request to the origin whose response is stored while clients already get it. @module */

import * as sys from "../../src/sys/mod.ts";
import { Exchange, type Origin } from "./exchange.ts";
import type { ResponseHead } from "./head.ts";
import type { Loop } from "./loop.ts";
import { type Lifetime, lifetimeOf } from "./rules.ts";
import type { Entry, Store } from "./store.ts";

const { raw } = sys;
const { NONBLOCK } = sys.SpliceFlag;
const EAGAIN = -11;
const PIPE_BYTES = 1024 * 1024;
/** Bytes of one fill before others have their turn. */
const TURN_BYTES = 4 * 1024 * 1024;

/** A client that waits for a fill. */
export interface Waiter {
  /** The response is there, or on its way. */
  serve(entry: Entry, how: string, fill?: Fill): void;
  /** The response is for one client only: ask the origin yourself. */
  pass(): void;
  /** There is no response. */
  refuse(status: number): void;
}

/** A client that has sent all bytes that have arrived. */
export interface Reader {
  wake(): void;
}

/** How a fill ended for the cache. */
export type FillOutcome = "stored" | "passed" | "failed" | "revalidated";

/** All fills share one pipe, which is empty between two of their turns. */
let pipe: { readonly read: number; readonly write: number } | undefined;

/** One request to the origin, for all clients that want the same. */
export class Fill {
  /** The response on its way, once its head has arrived. */
  entry: Entry | undefined;
  /** Whether the key was purged meanwhile: clients get the response, the store does not. */
  purged = false;
  readonly #store: Store;
  readonly #loop: Loop;
  readonly #key: string;
  /** The stored response to revalidate. */
  readonly #stale: Entry | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #starved = new Set<Reader>();
  readonly #exchange: Exchange;
  readonly #end: (outcome: FillOutcome) => void;

  constructor(
    loop: Loop,
    origin: Origin,
    store: Store,
    key: string,
    stale: Entry | undefined,
    end: (outcome: FillOutcome) => void,
  ) {
    this.#loop = loop;
    this.#store = store;
    this.#key = key;
    this.#stale = stale;
    this.#end = end;
    this.#exchange = new Exchange(loop, origin, request(key, origin, stale), {
      onHead: (head) => this.#receive(head),
      onReadable: () => this.#move(),
      onFail: (status) => this.#fail(status),
    });
  }

  /** Serves a client as soon as the head has arrived. */
  wait(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  /** A client has gone. */
  leave(client: Waiter & Reader): void {
    this.#waiters.delete(client);
    this.#starved.delete(client);
  }

  /** Wakes a reader when more bytes have arrived. */
  starve(reader: Reader): void {
    this.#starved.add(reader);
  }

  #receive(head: ResponseHead): void {
    const stale = this.#stale;
    const { status, reason, fields, lines } = head;
    if (stale !== undefined && status === 304) return this.#renew(stale, head);
    if (stale !== undefined && status >= 500 && stale.fallbackUntilMs > this.#loop.now) {
      return this.#finish("failed", (waiter) => waiter.serve(stale, "STALE"));
    }
    const lifetime = lifetimeOf(status, fields, this.#loop.now);
    const length = fields.get("content-length");
    const key = this.#key;
    const response = { key, status, reason, fields, lines, length: Number(length) };
    // Without a length, a response that was cut looks complete.
    const storable = lifetime !== null && length !== undefined;
    const entry = storable ? this.#store.begin(response, lifetime) : null;
    if (entry === null) {
      // What is stored is out of date, unless the origin has a problem.
      if (status < 500) this.#store.remove(key);
      return this.#finish("passed", (waiter) => waiter.pass());
    }
    this.entry = entry;
    this.#exchange.read(true);
    for (const waiter of this.#waiters) waiter.serve(entry, "MISS", this);
    this.#waiters.clear();
    if (entry.length === 0) this.#complete(entry);
  }

  /** The stored response is still right: takes over its new lifetime. */
  #renew(stale: Entry, { fields, lines }: ResponseHead): void {
    const merged = new Map([...stale.fields, ...fields]);
    merged.set("content-length", String(stale.length));
    const lifetime = lifetimeOf(stale.status, merged, this.#loop.now);
    if (lifetime === null) this.#store.remove(stale.key);
    else {
      const renewed = new Set(lines.map(([name]) => name.toLowerCase()));
      renewed.delete("content-length");
      const kept = stale.lines.filter(([name]) => !renewed.has(name.toLowerCase()));
      const added = lines.filter(([name]) => renewed.has(name.toLowerCase()));
      Object.assign(stale, lifetime satisfies Lifetime, {
        fields: merged,
        lines: [...kept, ...added],
      });
      if (!stale.removed) this.#store.save(stale);
    }
    this.#finish("revalidated", (waiter) => waiter.serve(stale, "REVALIDATED"));
  }

  /** Moves what has arrived from the socket through the pipe into the file. */
  #move(): void {
    const entry = this.entry!;
    const { read, write } = pipe ??= openPipe();
    for (let moved = 0; entry.arrived < entry.length && moved < TURN_BYTES;) {
      const wanted = Math.min(entry.length - entry.arrived, PIPE_BYTES);
      const count = raw.splice(this.#exchange.fd, null, write, null, wanted, NONBLOCK);
      if (count === EAGAIN) break;
      if (count <= 0) return this.#exchange.fail(502);
      for (let held = count; held > 0;) {
        const stored = raw.splice(read, null, entry.fd, entry.arrived, held, 0);
        if (stored <= 0) {
          // The disk fails, or is full although the blocks were reserved. The pipe is not empty.
          sys.close(read);
          sys.close(write);
          pipe = undefined;
          return this.#exchange.fail(502);
        }
        entry.arrived += stored;
        held -= stored;
      }
      moved += count;
    }
    if (entry.arrived === entry.length) this.#complete(entry);
    this.#wakeAll();
  }

  #complete(entry: Entry): void {
    if (this.purged) this.#store.discard(entry);
    else this.#store.complete(entry);
    this.#finish("stored", () => {});
  }

  #fail(status: number): void {
    const { entry } = this;
    const stale = this.#stale;
    if (entry !== undefined) {
      entry.broken = true;
      this.#store.discard(entry);
    }
    const fallback = stale !== undefined && stale.fallbackUntilMs > this.#loop.now;
    this.#finish("failed", (waiter) => {
      if (fallback) waiter.serve(stale, "STALE");
      else waiter.refuse(status);
    });
    this.#wakeAll();
  }

  /** Ends the fill first, because what the clients do next may start another one. */
  #finish(outcome: FillOutcome, answer: (waiter: Waiter) => void): void {
    this.#exchange.close();
    this.#end(outcome);
    for (const waiter of this.#waiters) answer(waiter);
    this.#waiters.clear();
  }

  #wakeAll(): void {
    const readers = [...this.#starved];
    this.#starved.clear();
    for (const reader of readers) reader.wake();
  }
}

/** Builds a request that says nothing of the client: all clients share the response. */
function request(key: string, { host }: Origin, stale: Entry | undefined): Buffer {
  const tag = stale?.fields.get("etag");
  const modified = stale?.fields.get("last-modified");
  const condition = tag !== undefined
    ? `If-None-Match: ${tag}\r\n`
    : modified !== undefined
    ? `If-Modified-Since: ${modified}\r\n`
    : "";
  return Buffer.from(
    `GET ${key} HTTP/1.0\r\nHost: ${host}\r\nAccept-Encoding: identity\r\n` +
      `Via: 1.1 edge-cache\r\n${condition}\r\n`,
    "latin1",
  );
}

function openPipe(): { read: number; write: number } {
  const [read, write] = sys.pipe2(sys.OpenFlag.CLOEXEC);
  try {
    sys.setPipeSize(write, PIPE_BYTES);
  } catch (error) {
    if ((error as { code?: string }).code !== "EPERM") throw error;
  }
  return { read, write };
}
