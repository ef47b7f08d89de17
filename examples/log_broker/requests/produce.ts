/** Produce: stores batches, each as it arrived. @module */

import type { Call } from "../api.ts";
import { Code, coded, Refusal } from "../errors.ts";
import { eachPart } from "../wire.ts";

/** Stores one batch per partition. */
export async function produce({ version, request, response, broker }: Call): Promise<boolean> {
  request.nullableString(); // the transaction
  const acks = request.int16();
  request.int32(); // the time limit: nothing here waits for another broker
  const topics = request.topics(() => ({ index: request.int32(), batch: request.bytes() }));
  const stored = await eachPart(topics, async (topic, { index, batch }) => {
    const done = await coded({ base: -1, start: -1 }, async () => {
      if (acks < -1 || acks > 1) throw new Refusal(Code.INVALID_REQUIRED_ACKS, String(acks));
      broker.topic(topic);
      const partition = broker.partition(topic, index);
      return { base: await partition.append(batch), start: partition.start };
    });
    return { index, ...done };
  });
  response.topics(stored, ({ index, code, base, start }) => {
    response.int32(index).int16(code).int64(base).int64(-1);
    if (version >= 5) response.int64(start);
  });
  response.int32(0);
  return acks !== 0;
}
