/** Fetch: a header, and batches by sendfile(2) from their segment. @module */

import type { Call } from "../api.ts";
import type { Broker } from "../broker.ts";
import type { Connection } from "../connection.ts";
import { Code, codeOf } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import type { Slice } from "../log/segment.ts";

interface Wanted {
  readonly index: number;
  readonly offset: number;
  readonly most: number;
}

interface Topic<T> {
  readonly name: string;
  readonly parts: readonly T[];
}

interface Found {
  readonly index: number;
  readonly code: number;
  readonly partition?: Partition;
  readonly slice?: Slice | undefined;
}

/** Sends what there is, once there is enough or the time is over. */
export async function fetch({ version, request, response, connection }: Call): Promise<void> {
  request.int32(); // the replica: none
  const waitMs = request.int32();
  const least = request.int32();
  const most = request.int32();
  request.int8(); // the isolation level: there are no transactions
  if (version >= 7) request.int64(); // the session: none is offered
  const topics = request.array(() => ({
    name: request.string(),
    parts: request.array((): Wanted => {
      const index = request.int32();
      if (version >= 9) request.int32(); // the epoch of the leader: it never changes
      const offset = request.int64();
      if (version >= 5) request.int64(); // the log start of a follower
      return { index, offset, most: request.int32() };
    }),
  }));
  const found = await wait(connection, topics, { waitMs, least, most });
  response.int32(0);
  if (version >= 7) response.int16(Code.NONE).int32(0);
  response.array(found, ({ name, parts }) => {
    response.string(name).array(parts, ({ index, code, partition, slice }) => {
      const high = partition?.high ?? -1;
      response.int32(index).int16(code).int64(high).int64(high);
      if (version >= 5) response.int64(partition?.start ?? -1);
      response.int32(-1);
      if (version >= 11) response.int32(-1);
      if (slice === undefined) response.int32(0);
      else response.file(slice);
    });
  });
}

async function wait(
  connection: Connection,
  topics: readonly Topic<Wanted>[],
  { waitMs, least, most }: { waitMs: number; least: number; most: number },
): Promise<Topic<Found>[]> {
  const { broker } = connection;
  const end = Date.now() + waitMs;
  for (;;) {
    const partitions = topics.flatMap(({ name, parts }) =>
      parts.flatMap(({ index }) => broker.topics.get(name)?.[index] ?? [])
    );
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
async function look(
  broker: Broker,
  topics: readonly Topic<Wanted>[],
  most: number,
): Promise<Topic<Found>[]> {
  let [left, first] = [most, true];
  const found: Topic<Found>[] = [];
  for (const { name, parts } of topics) {
    const own: Found[] = [];
    for (const { index, offset, most } of parts) {
      try {
        const partition = broker.partition(name, index);
        const slice = await partition.read(offset, Math.min(most, left), first);
        if (slice !== undefined) [left, first] = [Math.max(0, left - slice.length), false];
        own.push({ index, code: Code.NONE, partition, slice });
      } catch (error) {
        own.push({ index, code: codeOf(error) });
      }
    }
    found.push({ name, parts: own });
  }
  return found;
}

function listen(
  partitions: readonly Partition[],
  connection: Connection,
): { within(ms: number): Promise<void>; stop(): void } {
  let wake = () => {};
  const changed = new Promise<void>((resolve) => wake = resolve);
  let timer: NodeJS.Timeout | undefined;
  for (const { waiting } of partitions) waiting.add(wake);
  connection.onClose(wake);
  return {
    within(ms) {
      timer = setTimeout(wake, ms);
      return changed;
    },
    stop() {
      clearTimeout(timer);
      for (const { waiting } of partitions) waiting.delete(wake);
    },
  };
}
