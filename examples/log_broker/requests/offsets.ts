/** ListOffsets, OffsetCommit and OffsetFetch. @module */

import type { Call } from "../api.ts";
import { Code, codeOf } from "../errors.ts";
import type { Committed } from "../groups/offset_store.ts";
import type { Partition } from "../log/partition.ts";

const LATEST = -1;
const EARLIEST = -2;
/** What a client may store beside an offset, in characters. */
const MOST_METADATA = 4096;

/**
 * The first, the next, or the first offset not older than a time.
 *
 * The last one is the first offset of its batch: the broker never looks into batches.
 */
export async function listOffsets({ version, request, response, connection }: Call): Promise<void> {
  request.int32();
  if (version >= 2) request.int8();
  const topics = request.array(() => ({
    name: request.string(),
    parts: request.array(() => ({ index: request.int32(), timestamp: request.int64() })),
  }));
  const find = async (topic: string, index: number, wanted: number) => {
    try {
      const partition = connection.broker.partition(topic, index);
      return { index, code: Code.NONE, ...await offsetAt(partition, wanted) };
    } catch (error) {
      return { index, code: codeOf(error), offset: -1, timestamp: -1 };
    }
  };
  const found = await Promise.all(topics.map(async ({ name, parts }) => ({
    name,
    parts: await Promise.all(parts.map(({ index, timestamp }) => find(name, index, timestamp))),
  })));
  if (version >= 2) response.int32(0);
  response.array(found, ({ name, parts }) => {
    response.string(name).array(parts, ({ index, code, offset, timestamp }) => {
      response.int32(index).int16(code).int64(timestamp).int64(offset);
    });
  });
}

async function offsetAt(
  partition: Partition,
  wanted: number,
): Promise<{ offset: number; timestamp: number }> {
  if (wanted === LATEST) return { offset: partition.high, timestamp: -1 };
  if (wanted === EARLIEST) return { offset: partition.start, timestamp: -1 };
  return await partition.findTime(wanted) ?? { offset: -1, timestamp: -1 };
}

/** Stores how far a group has read. */
export async function offsetCommit(call: Call): Promise<void> {
  const { version, request, response, connection: { broker } } = call;
  const [group, generation, member] = [request.string(), request.int32(), request.string()];
  request.int64(); // how long to keep it: always
  const topics = request.array(() => ({
    name: request.string(),
    parts: request.array(() => ({
      partition: request.int32(),
      offset: request.int64(),
      metadata: request.nullableString()?.slice(0, MOST_METADATA) ?? null,
    })),
  }));
  const known = (topic: string, index: number) => broker.topics.get(topic)?.[index] !== undefined;
  let code: number = Code.NONE;
  try {
    broker.group(group).checkCommit(generation, member);
    const offsets = topics.flatMap(({ name, parts }) =>
      parts.filter(({ partition }) => known(name, partition))
        .map((part): Committed => ({ topic: name, ...part }))
    );
    await broker.offsets.commit(group, offsets);
  } catch (error) {
    code = codeOf(error);
  }
  if (version >= 3) response.int32(0);
  response.array(topics, ({ name, parts }) => {
    response.string(name).array(parts, ({ partition }) => {
      const missing = code === Code.NONE && !known(name, partition);
      response.int32(partition).int16(missing ? Code.UNKNOWN_TOPIC_OR_PARTITION : code);
    });
  });
}

/** Says how far a group has read. */
export function offsetFetch({ version, request, response, connection }: Call): void {
  const { offsets } = connection.broker;
  const group = request.string();
  const topics = request.nullableArray(() => ({
    name: request.string(),
    parts: request.array(() => request.int32()),
  }));
  const found = topics?.map(({ name, parts }) => ({
    name,
    parts: parts.map((index) =>
      offsets.get(group, name, index) ?? { partition: index, offset: -1, metadata: "" }
    ),
  })) ??
    [...Map.groupBy(offsets.all(group), ({ topic }) => topic)].map(([name, parts]) => ({
      name,
      parts,
    }));
  if (version >= 3) response.int32(0);
  response.array(found, ({ name, parts }) => {
    response.string(name).array(parts, ({ partition, offset, metadata }) => {
      response.int32(partition).int64(offset).string(metadata).int16(Code.NONE);
    });
  });
  if (version >= 2) response.int16(Code.NONE);
}
