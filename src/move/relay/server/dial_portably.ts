/** Connects to one of several addresses through the runtime's own sockets. @module */

import type { Socket } from "node:net";
import { builtin } from "../../../builtins.ts";
import { NEXT_ADDRESS_MS } from "../../../threads/loop/dial.ts";

/** An address to connect to. */
export type DialTarget = { readonly path: string } | {
  readonly host: string;
  readonly port: number;
};

/**
 * Connects to the first address that answers, like the threads do: see `Dial`.
 *
 * Does not use `autoSelectFamily`, which not every runtime has and which accepts only names.
 *
 * @returns A connected socket with `allowHalfOpen` and `noDelay`, paused.
 *
 * @throws {Error} The last error if no address can be reached; `ETIMEDOUT` after `connectMs`; the
 * reason of the signal if it fires.
 */
export function dialPortably(
  targets: readonly DialTarget[],
  { connectMs, signal }: { readonly connectMs: number; readonly signal: AbortSignal },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const attempts = new Set<Socket>();
    let index = 0;
    let failure: unknown;
    let next: ReturnType<typeof setTimeout> | undefined;
    const finish = (socket?: Socket, error?: unknown) => {
      clearTimeout(next);
      clearTimeout(limit);
      signal.removeEventListener("abort", abort);
      if (socket !== undefined) attempts.delete(socket);
      for (const other of attempts) other.destroy();
      attempts.clear();
      index = targets.length;
      if (socket === undefined) reject(error);
      else resolve(socket);
    };
    const abort = () => finish(undefined, signal.reason);
    const limit = setTimeout(() => {
      const message = `Cannot connect: no answer in ${connectMs} ms`;
      finish(undefined, Object.assign(new Error(message), { code: "ETIMEDOUT" }));
    }, connectMs);
    const tryNext = () => {
      clearTimeout(next);
      const target = targets[index++];
      if (target === undefined) {
        if (attempts.size === 0) finish(undefined, failure);
        return;
      }
      const settings = { ...target, allowHalfOpen: true, noDelay: true };
      const socket = builtin("net").connect(settings);
      attempts.add(socket);
      // Code that waits for the socket reports errors after the connection.
      socket.on("error", (error) => {
        if (!attempts.delete(socket)) return;
        failure = error;
        tryNext();
      });
      socket.once("connect", () => {
        if (attempts.has(socket)) finish(socket);
      });
      if (index < targets.length) next = setTimeout(tryNext, NEXT_ADDRESS_MS);
    };
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    else tryNext();
  });
}
