/** Fetch: a header, and batches by sendfile(2) from their segment. @module */

import type { Call } from "../api.ts";
import type { Broker } from "../broker.ts";
import type { Connection } from "../connection.ts";
import { Code, coded } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import type { Topic } from "../wire.ts";

interface Wanted {
  readonly index: number;
  readonly offset: number;
  readonly most: number;
}

/** Sends what there is, once there is enough or the time is over. */
export async function fetch(call: Call): Promise<void> {
  const { version, request, response } = call;
  request.int32(); // the replica: none
  const end = Date.now() + request.int32();
  const [least, most] = [request.int32(), request.int32()];
  request.int8(); // the isolation level: there are no transactions
  if (version >= 7) request.int64(); // the session: none is offered
  const topics = request.topics((): Wanted => {
    const index = request.int32();
    if (version >= 9) request.int32(); // the epoch of the leader: it never changes
    const offset = request.int64();
    if (version >= 5) request.int64(); // the log start of a follower
    return { index, offset, most: request.int32() };
  });
  const found = await wait(call, topics, least, most, end);
  response.int32(0);
  if (version >= 7) response.int16(Code.NONE).int32(0);
  response.topics(found, ({ index, code, high, start, slice }) => {
    response.int32(index).int16(code).int64(high).int64(high);
    if (version >= 5) response.int64(start);
    response.int32(-1);
    if (version >= 11) response.int32(-1);
    if (slice === undefined) response.int32(0);
    else response.file(slice);
  });
}

async function wait(
  { broker, connection }: Call,
  topics: readonly Topic<Wanted>[],
  least: number,
  most: number,
  end: number,
): ReturnType<typeof look> {
  const partitions = topics.flatMap(({ name, parts }) =>
    parts.flatMap(({ index }) => broker.topics.get(name)?.[index] ?? [])
  );
  for (;;) {
    // Listens before it looks, so that it misses nothing between the two.
    const change = listen(partitions, connection);
    try {
      const found = await look(broker, topics, most);
      const parts = found.flatMap(({ parts }) => parts);
      const bytes = parts.reduce((sum, { slice }) => sum + (slice?.length ?? 0), 0);
      const failed = parts.some(({ code }) => code !== Code.NONE);
      const left = end - Date.now();
      if (bytes >= least || failed || left <= 0 || connection.closed) return found;
      await change.within(left);
    } finally {
      change.stop();
    }
  }
}

/** Reads no file: finds where the batches are. */
async function look(broker: Broker, topics: readonly Topic<Wanted>[], most: number) {
  let [left, first] = [most, true];
  const find = async (topic: string, { index, offset, most }: Wanted) => {
    const found = await coded({ high: -1, start: -1, slice: undefined }, async () => {
      const partition = broker.partition(topic, index);
      const slice = await partition.read(offset, Math.min(most, left), first);
      return { high: partition.high, start: partition.start, slice };
    });
    if (found.slice !== undefined) [left, first] = [Math.max(0, left - found.slice.length), false];
    return { index, ...found };
  };
  const found: Topic<Awaited<ReturnType<typeof find>>>[] = [];
  for (const { name, parts } of topics) {
    const own = [];
    for (const part of parts) own.push(await find(name, part));
    found.push({ name, parts: own });
  }
  return found;
}

function listen(partitions: readonly Partition[], connection: Connection) {
  const { promise, resolve: wake } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  for (const { waiting } of partitions) waiting.add(wake);
  connection.onClose(wake);
  return {
    within(ms: number): Promise<void> {
      timer = setTimeout(wake, ms);
      return promise;
    },
    stop(): void {
      clearTimeout(timer);
      for (const { waiting } of partitions) waiting.delete(wake);
    },
  };
}
