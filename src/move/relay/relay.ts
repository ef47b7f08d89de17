/** Relays between two sockets of the caller: `relay`. @module */

import { checkFunction, checkObject, checkSignal, wholeNumber } from "../../options.ts";
import { AbortError } from "../../errors.ts";
import { publish, publishStart } from "../engine/diagnostics.ts";
import { copyPair } from "./copying.ts";
import { closeUntaken, examine, type Side } from "./side.ts";
import { endUnreached } from "./server/unreached.ts";
import { hasThread, splicePair } from "./thread.ts";
import type { RelayOptions, RelayProgress, RelayResult, RelayTarget } from "./types.ts";

const ACTION = "relay";
const PROGRESS_MS = 100;

/**
 * Moves bytes between two sockets, in both directions, by splice(2) in a separate thread. When both
 * directions have ended, both sockets are closed.
 *
 * If one direction ends, its end is passed on and the other direction continues. Bytes that you
 * have written before leave first, and bytes that the runtime has received but you have not read
 * are passed on. From the call on, the sockets belong to the relay: don't read or write them. They
 * are always closed in the end, except for a descriptor, which you close.
 *
 * If one of them cannot connect, nothing is taken over and the promise rejects. You may then answer
 * on the other one, if it is a `net.Socket`: in your error handler, write to it before the next
 * turn of the event loop, and end it yourself. Otherwise sluice ends it, normally instead of by a
 * reset.
 *
 * The relay waits for a socket that is still connecting. To end the relay early, use `signal`; on
 * Node.js and Deno you may also destroy a `net.Socket`.
 *
 * @param a First socket: a `net.Socket`, a socket of `Bun.listen` or `Bun.connect`, a `Deno.Conn`,
 * or a descriptor of a connected stream socket.
 * @param b Second socket.
 * @param options Timeout, progress and signal.
 * @returns Once both directions have ended.
 *
 * @throws {TypeError} When an argument has the wrong type, or both are the same.
 * @throws {RangeError} When `idleTimeoutMs` is negative or fractional.
 * @throws {SyscallError} `ECONNRESET`, `EPIPE` when a peer has disconnected; `ETIMEDOUT` when
 * nothing moved for too long; `EBADF`, `ENOTSOCK` for a wrong descriptor. The other peer is reset,
 * unless nothing was taken over. `ECONNREFUSED` and others when a socket cannot connect.
 * @throws {AbortError} When the signal fired; its reason is the `cause`. `SyscallError` and
 * `AbortError` carry `bytesMoved`.
 * @throws {UnsupportedError} For an encrypted socket of Bun's own API, which only its handlers can
 * read.
 *
 * @example A proxy that chooses the upstream by the client's address
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
  const trace = publishStart("relay", Infinity);
  const tellEnd = (method: string, error?: Error) => {
    const durationMs = performance.now() - began;
    publish({ operation: "relay", bytes: progress.bytes, method, durationMs, error }, trace);
  };
  try {
    for (const target of [a, b]) sides.push(await examine(target));
    if (signal?.aborted) throw new AbortError(0, signal.reason);
    const [first, second] = sides as [Side, Side];
    if (onProgress !== undefined) timer = setInterval(tell, PROGRESS_MS);
    const takeable = first.takeable && second.takeable;
    const run = takeable && await hasThread() ? splicePair : copyPair;
    begun = true;
    const method = await run(first, second, { idleMs: idleTimeoutMs, progress, signal });
    onProgress?.({ ...progress });
    tellEnd(method);
    return { ...progress, method, durationMs: performance.now() - began };
  } catch (cause) {
    tellEnd("none", cause as Error);
    if (!begun && cause instanceof AbortError) sides.forEach(closeUntaken);
    // A wrong argument changes nothing.
    else if (!begun && !(cause instanceof TypeError)) leave([a, b]);
    throw cause;
  } finally {
    clearInterval(timer);
  }
}

/** Ends a socket that was not taken over; code that awaits the error may answer first. */
function leave(targets: readonly RelayTarget[]): void {
  for (const target of targets) {
    try {
      endUnreached(target);
    } catch {
      // The second one may be an invalid value: report the error of the first.
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
