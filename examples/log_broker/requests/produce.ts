/** Produce: stores batches, each as it arrived. @module */

import type { Buffer } from "node:buffer";
import type { Call } from "../api.ts";
import { Code, codeOf, Refusal } from "../errors.ts";

/** Stores one batch per partition. */
export async function produce(call: Call): Promise<boolean> {
  const { version, request, response, connection: { broker } } = call;
  request.nullableString(); // the transaction
  const acks = request.int16();
  request.int32(); // the time limit: nothing here waits for another broker
  const topics = request.array(() => ({
    name: request.string(),
    parts: request.array(() => ({ index: request.int32(), batch: request.bytes() })),
  }));
  const store = async (topic: string, index: number, batch: Buffer) => {
    try {
      if (acks < -1 || acks > 1) throw new Refusal(Code.INVALID_REQUIRED_ACKS, String(acks));
      broker.topic(topic);
      const partition = broker.partition(topic, index);
      return { index, code: Code.NONE, base: await partition.append(batch), partition };
    } catch (error) {
      return { index, code: codeOf(error), base: -1 };
    }
  };
  const stored = await Promise.all(topics.map(async ({ name, parts }) => ({
    name,
    parts: await Promise.all(parts.map(({ index, batch }) => store(name, index, batch))),
  })));
  if (acks === 0) return false;
  response.array(stored, ({ name, parts }) => {
    response.string(name).array(parts, ({ index, code, base, partition }) => {
      response.int32(index).int16(code).int64(base).int64(-1);
      if (version >= 5) response.int64(partition?.start ?? -1);
    });
  });
  response.int32(0);
  return true;
}
