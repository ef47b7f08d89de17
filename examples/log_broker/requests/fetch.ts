/** Fetch: a header, and batches by sendfile(2) from their segment. @module */

import type { Call } from "../api.ts";
import type { Broker } from "../broker.ts";
import { Code, coded } from "../errors.ts";
import { Turns } from "../log/files.ts";
import { eachPart, type Topic } from "../wire.ts";

type Wanted = { readonly index: number; readonly offset: number; readonly most: number };

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
  const found = await wait(call, topics, [least, most, end]);
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
  [least, most, end]: readonly [least: number, most: number, end: number],
): ReturnType<typeof look> {
  const partitions = topics.flatMap(({ name, parts }) =>
    parts.flatMap(({ index }) => broker.topics.get(name)?.[index] ?? [])
  );
  for (;;) {
    // Listens before it looks, so that it misses nothing between the two.
    const { promise: changed, resolve: wake } = Promise.withResolvers<void>();
    for (const { waiting } of partitions) waiting.add(wake);
    connection.onClose(wake);
    let timer: NodeJS.Timeout | undefined;
    try {
      const found = await look(broker, topics, most);
      const parts = found.flatMap(({ parts }) => parts);
      const bytes = parts.reduce((sum, { slice }) => sum + (slice?.length ?? 0), 0);
      const failed = parts.some(({ code }) => code !== Code.NONE);
      const left = end - Date.now();
      if (bytes >= least || failed || left <= 0 || connection.closed) return found;
      timer = setTimeout(wake, left);
      await changed;
    } finally {
      clearTimeout(timer);
      for (const { waiting } of partitions) waiting.delete(wake);
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
  // In turns, because each partition takes its share of what may be sent.
  const turns = new Turns();
  return await eachPart(topics, (topic, part) => turns.run(() => find(topic, part)));
}
