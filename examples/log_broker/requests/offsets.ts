/** ListOffsets, OffsetCommit and OffsetFetch. @module */

import type { Call } from "../api.ts";
import { Code, coded, codeOf } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import { eachPart } from "../wire.ts";

const LATEST = -1;
const EARLIEST = -2;
/** What a client may store beside an offset, in characters. */
const MOST_METADATA = 4096;
const NOWHERE = { offset: -1, timestamp: -1 };

/**
 * The first, the next, or the first offset not older than a time.
 *
 * The last one is the first offset of its batch: the broker never looks into batches.
 */
export async function listOffsets({ version, request, response, broker }: Call): Promise<void> {
  request.int32();
  if (version >= 2) request.int8();
  const topics = request.topics(() => ({ index: request.int32(), wanted: request.int64() }));
  const found = await eachPart(topics, async (topic, { index, wanted }) => ({
    index,
    ...await coded(NOWHERE, () => offsetAt(broker.partition(topic, index), wanted)),
  }));
  if (version >= 2) response.int32(0);
  response.topics(found, ({ index, code, offset, timestamp }) => {
    response.int32(index).int16(code).int64(timestamp).int64(offset);
  });
}

async function offsetAt(partition: Partition, wanted: number): Promise<typeof NOWHERE> {
  if (wanted === LATEST) return { offset: partition.high, timestamp: -1 };
  if (wanted === EARLIEST) return { offset: partition.start, timestamp: -1 };
  const found = await partition.findTime(wanted);
  return found === undefined ? NOWHERE : { offset: found.base, timestamp: found.maxTimestamp };
}

/** Stores how far a group has read. */
export async function offsetCommit({ version, request, response, broker }: Call): Promise<void> {
  const [group, generation, member] = [request.string(), request.int32(), request.string()];
  request.int64(); // how long to keep it: always
  const topics = request.topics(() => {
    const [index, offset, text] = [request.int32(), request.int64(), request.nullableString()];
    return { index, offset, metadata: text?.slice(0, MOST_METADATA) ?? null };
  });
  const known = (topic: string, index: number) => broker.topics.get(topic)?.[index] !== undefined;
  const all = topics.flatMap(({ name, parts }) => parts.map((part) => ({ topic: name, ...part })));
  const code = await codeOf(() => {
    broker.group(group).checkCommit(generation, member);
    return broker.offsets.commit(group, all.filter(({ topic, index }) => known(topic, index)));
  });
  const codes = await eachPart(topics, (topic, { index }) => {
    const missing = code === Code.NONE && !known(topic, index);
    return { index, code: missing ? Code.UNKNOWN_TOPIC_OR_PARTITION : code };
  });
  if (version >= 3) response.int32(0);
  response.topics(codes, ({ index, code }) => response.int32(index).int16(code));
}

/** Says how far a group has read. */
export function offsetFetch({ version, request, response, broker }: Call): void {
  const group = request.string();
  const wanted = request.nullableArray(() => (
    { name: request.string(), parts: request.array(() => request.int32()) }
  ));
  const own = Map.groupBy(broker.offsets.of(group), ({ topic }) => topic);
  const found = wanted?.map(({ name, parts }) => ({
    name,
    parts: parts.map((index) => (
      own.get(name)?.find((each) => each.index === index) ?? { index, offset: -1, metadata: "" }
    )),
  })) ?? Array.from(own, ([name, parts]) => ({ name, parts }));
  if (version >= 3) response.int32(0);
  response.topics(found, ({ index, offset, metadata }) => {
    response.int32(index).int64(offset).string(metadata).int16(Code.NONE);
  });
  if (version >= 2) response.int16(Code.NONE);
}
