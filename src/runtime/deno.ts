/** Connections behind a `Deno.Conn`. @module */

import * as raw from "../sys/raw/mod.ts";
import { isDescriptorOf } from "./internals.ts";
import { SOL_TCP, TCP_NODELAY } from "./tcp.ts";
import type { RuntimeConnection } from "./types.ts";

/** The part of `Deno.TcpConn` that is used here. */
export interface DenoConn {
  /** Writes some of `bytes`; resolves to the count. */
  write(bytes: Uint8Array): Promise<number>;
  /** Reads some bytes; resolves to the count, or to `null` at the end. */
  read?(target: Uint8Array): Promise<number | null>;
  /** Ends the sending side. */
  closeWrite?(): Promise<void>;
  /** Closes the connection. */
  close(): void;
  /** `TCP_NODELAY`; TCP connections only. */
  setNoDelay?(noDelay?: boolean): void;
}

/** Addresses of both ends; TCP addresses have a port. */
interface Addresses {
  readonly localAddr: { readonly port?: number };
  readonly remoteAddr: { readonly port?: number };
}

const FD = "Deno.internal.fd";
const option = new Int32Array(1);

/** Whether `target` is a connection of Deno, over any transport. */
export function isDenoConn(target: object): target is DenoConn {
  const { closeWrite, close, read, write } = target as Partial<DenoConn>;
  const { localAddr, remoteAddr } = target as Partial<Addresses>;
  return [closeWrite, close, read, write].every((method) => typeof method === "function") &&
    [localAddr, remoteAddr].every((address) => typeof address === "object");
}

/** Returns the connection of an accepted TCP connection; `null` if Deno hides the descriptor. */
export function denoConnection(conn: DenoConn): RuntimeConnection | null {
  const symbol = symbolOf(conn, FD);
  const fd = symbol && (conn as unknown as Record<symbol, unknown>)[symbol];
  if (typeof fd !== "number" || fd < 0 || typeof conn.setNoDelay !== "function") return null;
  const ports = () => {
    const { localAddr, remoteAddr } = conn as unknown as Addresses;
    return { local: localAddr.port, remote: remoteAddr.port };
  };
  return isDescriptorOf("Deno.Conn", fd, ports) ? new DenoConnection(conn, fd) : null;
}

/** Writes all of `bytes`; one write of Deno may take only some. */
export async function writeAll(conn: DenoConn, bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
}

class DenoConnection implements RuntimeConnection {
  readonly #conn: DenoConn;
  readonly #fd: number;
  readonly #noDelay: boolean;
  /**
   * Deno hides its queue length. The first bytes go through its own write, after all queued ones.
   */
  #ordered = false;

  constructor(conn: DenoConn, fd: number) {
    this.#conn = conn;
    this.#fd = fd;
    raw.getsockopt(fd, SOL_TCP, TCP_NODELAY, option);
    this.#noDelay = option[0] !== 0;
  }

  /**
   * The symbol keeps its number after `close()`, so test the connection by a call that throws once
   * it is closed. That call throws a different error while a write is in flight; the connection is
   * then open.
   */
  fd(): number {
    try {
      this.#conn.setNoDelay!(this.#noDelay);
    } catch (error) {
      if ((error as Error).name === "BadResource") return -1;
    }
    return this.#fd;
  }

  queued(): boolean {
    return !this.#ordered;
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#ordered = true;
    writeAll(this.#conn, bytes).then(() => done(), done);
  }

  // Deno does not say which listener accepted a connection.
  listener(): void {}

  timed(): boolean {
    return false;
  }

  touch(): void {}

  destroy(): void {
    try {
      this.#conn.close();
    } catch {
      // Already closed.
    }
  }

  release(): void {}
}

function symbolOf(target: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(target).find((s) => s.description === description);
}
