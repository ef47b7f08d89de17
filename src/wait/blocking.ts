/** A thread for calls that may block, such as those that touch a disk. @module */

import { UnsupportedError } from "../errors.ts";
import type { BlockingCalls, Request } from "./blocking_calls.ts";
import { Host } from "./host.ts";

interface Pending {
  resolve(result: number): void;
  reject(error: Error): void;
}

const pending = new Map<number, Pending>();
let lastId = 0;
let current: Host | undefined;
let refusal: UnsupportedError | undefined;

/**
 * Runs a raw call in the thread for blocking calls, one after the other.
 *
 * The process is kept alive until it has ended. The descriptors must stay open until then: a number
 * that is closed and used again would be somebody else's file. What another thread is told of `EINTR`
 * and `EAGAIN` is reported like every other error.
 *
 * @param call Name of the call.
 * @param args Its arguments, as in `sys.raw`.
 * @returns The call's result: a count, 0, or `-errno`.
 *
 * @throws {UnsupportedError} When Workers cannot be started here.
 */
export async function runBlocking<C extends keyof BlockingCalls>(
  call: C,
  ...args: Parameters<BlockingCalls[C]>
): Promise<number> {
  const host = thread();
  lastId = (lastId + 1) >>> 0;
  const request: Request = { id: lastId, call, args };
  return await new Promise((resolve, reject) => {
    pending.set(request.id, { resolve, reject });
    if (pending.size === 1) host.ref();
    host.post(request);
  });
}

function thread(): Host {
  if (refusal !== undefined) throw refusal;
  return current ??= new Host({ job: "blocking", name: "sluice blocking", completed, ended });
}

function completed(id: number, result: number): void {
  const request = pending.get(id);
  pending.delete(id);
  if (pending.size === 0) current?.unref();
  request?.resolve(result);
}

function ended(error: Error): void {
  current = undefined;
  if (error instanceof UnsupportedError) refusal = error;
  const requests = [...pending.values()];
  pending.clear();
  for (const request of requests) request.reject(error);
}
