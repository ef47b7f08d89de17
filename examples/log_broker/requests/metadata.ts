/** Metadata, FindCoordinator and InitProducerId: who answers what. There is one broker. @module */

import { randomInt } from "node:crypto";
import type { Call } from "../api.ts";
import { Code, coded } from "../errors.ts";

const BROKER = 1;

/** Names the broker and the partitions of topics, which are made on the way. */
export async function metadata(call: Call): Promise<void> {
  const { version, request, response, broker, connection } = call;
  const names = request.nullableArray(() => request.string()) ?? [...broker.topics.keys()];
  const create = version < 4 || request.int8() !== 0;
  const topics = await Promise.all(names.map(async (name) => {
    const found = await coded({ partitions: [] }, () => (
      { partitions: (create ? broker.topic(name) : broker.topics.get(name)) ?? [] }
    ));
    const missing = found.code === Code.NONE && found.partitions.length === 0;
    return { name, ...found, ...missing && { code: Code.UNKNOWN_TOPIC_OR_PARTITION } };
  }));
  if (version >= 3) response.int32(0);
  response.array([connection.address], ({ host, port }) => {
    response.int32(BROKER).string(host).int32(port).string(null);
  });
  if (version >= 2) response.string("sluice");
  response.int32(BROKER).array(topics, ({ name, code, partitions }) => {
    response.int16(code).string(name).int8(0);
    response.array([...partitions.keys()], (index) => {
      response.int16(Code.NONE).int32(index).int32(BROKER);
      for (let list = 0; list < 2; list++) response.array([BROKER], (id) => response.int32(id));
      if (version >= 5) response.int32(0);
    });
  });
}

/** Names the broker that keeps a group. */
export function findCoordinator({ version, request, response, connection }: Call): void {
  request.string();
  if (version >= 1) response.int32(0);
  // Groups only: there are no transactions.
  const code = version >= 1 && request.int8() !== 0 ? Code.INVALID_REQUEST : Code.NONE;
  response.int16(code);
  if (version >= 1) response.string(null);
  response.int32(BROKER).string(connection.address.host).int32(connection.address.port);
}

/** Gives an idempotent producer its number: random, so that no restart gives one a second time. */
export function initProducerId({ request, response }: Call): void {
  const transaction = request.nullableString();
  request.int32();
  response.int32(0);
  if (transaction === null) response.int16(Code.NONE).int64(randomInt(2 ** 48 - 1)).int16(0);
  else response.int16(Code.INVALID_REQUEST).int64(-1).int16(-1);
}
