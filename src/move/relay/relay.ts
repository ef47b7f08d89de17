/** Relaying between two sockets that the caller has: `relay`. @module */

import { checkFunction, checkObject, checkSignal, wholeNumber } from "../../options.ts";
import { AbortError } from "../../errors.ts";
import { copyPair } from "./copying.ts";
import { closeUntaken, examine, type Side } from "./side.ts";
import { endUnreached } from "./server/unreached.ts";
import { splicePair } from "./thread.ts";
import type { RelayOptions, RelayProgress, RelayResult, RelayTarget } from "./types.ts";

const ACTION = "relay";
const PROGRESS_MS = 100;

/**
 * Moves what arrives on either of two sockets to the other one, by splice(2) in a thread of its
 * own, until both directions have ended; then both sockets are closed.
 *
 * The end of one direction is passed on while the other one goes on. What the program has written
 * to the sockets before goes out first, and what the runtime has received and nobody has read is
 * handed over. From the call on they belong to the relay: read and write nothing yourself. Whatever
 * happens, they are closed in the end, but for a descriptor, which remains the caller's to close.
 *
 * If one of them cannot be connected, nothing is taken over and the promise rejects. You may then
 * answer on the other one, if it is a `net.Socket`: whoever catches the error has until the next turn
 * of the event loop to write to it, and then has to end it. Otherwise sluice ends it, with an
 * ordinary end rather than a reset.
 *
 * A socket that is still being connected is waited for. Destroying a `net.Socket` meanwhile ends
 * the relay on Node.js and Deno; `signal` does so everywhere.
 *
 * @param a First socket: a `net.Socket`, a socket of `Bun.listen` or `Bun.connect`, a `Deno.Conn`,
 * or a descriptor of a connected stream socket.
 * @param b Second socket.
 * @param options How to watch and stop it.
 * @returns Once both directions have ended.
 *
 * @throws {TypeError} When an argument is of the wrong kind, or both are the same.
 * @throws {RangeError} When `idleTimeoutMs` is negative or fractional.
 * @throws {SyscallError} `ECONNRESET`, `EPIPE` when a peer is gone; `ETIMEDOUT` when nothing moved
 * for too long; `EBADF`, `ENOTSOCK` for a wrong descriptor. The other peer is reset,
 * unless nothing was taken over. `ECONNREFUSED` and the like when a socket cannot be connected.
 * @throws {AbortError} When the signal fired; its reason is the `cause`.
 * @throws {UnsupportedError} For an encrypted socket of Bun's own API, which nobody else can read.
 * The last four carry `bytesMoved` where some were.
 *
 * @example A proxy that looks at who connects
 * ```ts ignore
 * createServer({ allowHalfOpen: true }, async (client) => {
 *   const upstream = connect(await choose(client.remoteAddress));
 *   const { bytes } = await relay(client, upstream, { idleTimeoutMs: 60_000 });
 * }).listen(8080);
 * ```
 */
export async function relay(
  a: RelayTarget,
  b: RelayTarget,
  options: RelayOptions = {},
): Promise<RelayResult> {
  const { idleTimeoutMs = 0, onProgress, signal } = checkArguments(a, b, options);
  const began = performance.now();
  const progress: RelayProgress = { bytes: 0, bytesForth: 0, bytesBack: 0 };
  let timer: ReturnType<typeof setInterval> | undefined;
  let told = 0;
  const tell = () => {
    if (progress.bytes === told) return;
    told = progress.bytes;
    onProgress!({ ...progress });
  };
  const sides: Side[] = [];
  let begun = false;
  try {
    for (const target of [a, b]) sides.push(await examine(target));
    if (signal?.aborted) throw new AbortError(0, signal.reason);
    const [first, second] = sides as [Side, Side];
    if (onProgress !== undefined) timer = setInterval(tell, PROGRESS_MS);
    const run = first.takeable && second.takeable ? splicePair : copyPair;
    begun = true;
    const method = await run(first, second, { idleMs: idleTimeoutMs, progress, signal });
    onProgress?.({ ...progress });
    return { ...progress, method, durationMs: performance.now() - began };
  } catch (cause) {
    if (!begun && cause instanceof AbortError) sides.forEach(closeUntaken);
    // A wrong argument changes nothing.
    else if (!begun && !(cause instanceof TypeError)) leave([a, b]);
    throw cause;
  } finally {
    clearInterval(timer);
  }
}

/** Ends what was not taken over; whoever waits for this may answer first. */
function leave(targets: readonly RelayTarget[]): void {
  for (const target of targets) {
    try {
      endUnreached(target);
    } catch {
      // The second one may be no socket at all: the error of the first is told.
    }
  }
}

function checkArguments(a: unknown, b: unknown, options: RelayOptions): RelayOptions {
  if (a === b) throw new TypeError(`Cannot ${ACTION}: both sockets are the same`);
  checkObject(options, ACTION);
  const { idleTimeoutMs, onProgress, signal } = options;
  if (idleTimeoutMs !== undefined) wholeNumber(idleTimeoutMs, "idleTimeoutMs", ACTION);
  checkSignal(signal, ACTION);
  checkFunction(onProgress, "onProgress", ACTION);
  return { idleTimeoutMs, onProgress, signal };
}
