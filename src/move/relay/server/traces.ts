/** Traces of the connections of a relay, which its threads report by numbers. @module */

import { errnoNumber, SyscallError } from "../../../errors.ts";
import { isObserved, publish, publishStart, type TransferTrace } from "../../engine/diagnostics.ts";

/** IDs of reports that belong to no call; see `WorkerPool`. Three reports tell an end, in this order. */
export const Report = {
  /** A connection was accepted; the result is its number in the thread. */
  STARTED: 0xffff_fff0,
  /** Bytes delivered to the upstream. */
  UP: 0xffff_fff1,
  /** Bytes delivered to the client. */
  DOWN: 0xffff_fff2,
  /** A connection has ended: see {@linkcode endOf}. */
  ENDED: 0xffff_fff3,
} as const;

const ERRNOS = 4096;
const ESHUTDOWN = errnoNumber("ESHUTDOWN");
const ECONNABORTED = errnoNumber("ECONNABORTED");

/** The result of a report `ENDED`: number of the connection, errno, and whether bytes were copied. */
export function endOf(connection: number, errno: number, copied: boolean): number {
  return (connection * ERRNOS + errno) * 2 + Number(copied);
}

interface Open {
  readonly trace: TransferTrace | undefined;
  readonly beganAt: number;
}

/** Publishes the start and the end of each connection of one relay. */
export class RelayTraces {
  readonly #open = new Map<string, Open>();
  readonly #moved = new Map<number, number>();

  /** Whether someone listens now. */
  static wanted(): boolean {
    return isObserved();
  }

  /** A connection begins; `key` is its own among all of the relay. */
  start(key: string): void {
    this.#open.set(key, {
      trace: publishStart("createRelay", Infinity),
      beganAt: performance.now(),
    });
  }

  /** A connection has ended. */
  end(key: string, bytes: number, method: string, error?: Error): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    const durationMs = performance.now() - open.beganAt;
    publish({ operation: "createRelay", bytes, method, durationMs, error }, open.trace);
  }

  /** The threads have ended: so have the connections whose end they could not report. */
  endAll(): void {
    for (const key of this.#open.keys()) this.end(key, 0, "none", failure(ESHUTDOWN, 0));
  }

  /** Takes a report of thread `index`. */
  report(index: number, id: number, result: number): void {
    switch (id) {
      case Report.STARTED:
        return this.start(`${index} ${result}`);
      case Report.UP:
      case Report.DOWN:
        return void this.#moved.set(index, (this.#moved.get(index) ?? 0) + result);
      case Report.ENDED: {
        const bytes = this.#moved.get(index) ?? 0;
        this.#moved.delete(index);
        const rest = Math.floor(result / 2);
        const errno = rest % ERRNOS;
        const method = result % 2 === 1 ? "copy" : bytes > 0 || errno === 0 ? "splice" : "none";
        this.end(`${index} ${Math.floor(rest / ERRNOS)}`, bytes, method, failure(errno, bytes));
      }
    }
  }
}

function failure(number: number, bytesMoved: number): SyscallError | undefined {
  if (number === 0) return undefined;
  // The relay itself has cut it.
  const errno = number === ESHUTDOWN ? ECONNABORTED : number;
  return new SyscallError({ syscall: "splice", errno, action: "relay a connection", bytesMoved });
}
