/** Metadata, FindCoordinator and InitProducerId: who answers what. There is one broker. @module */

import type { Call } from "../api.ts";
import { Code, codeOf } from "../errors.ts";

const BROKER = 1;

/** Names the broker and the partitions of topics, which are made on the way. */
export function metadata({ version, request, response, connection }: Call): void {
  const { broker, address } = connection;
  const names = request.nullableArray(() => request.string()) ?? [...broker.topics.keys()];
  const create = version < 4 || request.int8() !== 0;
  if (version >= 3) response.int32(0);
  response.array([address], ({ host, port }) => {
    response.int32(BROKER).string(host).int32(port).string(null);
  });
  if (version >= 2) response.string("sluice");
  response.int32(BROKER).array(names, (name) => {
    const { code, count } = look(name);
    response.int16(code).string(name).int8(0);
    response.array(Array.from({ length: count }, (_, index) => index), (index) => {
      response.int16(Code.NONE).int32(index).int32(BROKER);
      for (let list = 0; list < 2; list++) response.array([BROKER], (id) => response.int32(id));
      if (version >= 5) response.int32(0);
    });
  });

  function look(name: string): { code: number; count: number } {
    try {
      const count = (create ? broker.topic(name) : broker.topics.get(name))?.length ?? 0;
      return { code: count > 0 ? Code.NONE : Code.UNKNOWN_TOPIC_OR_PARTITION, count };
    } catch (error) {
      return { code: codeOf(error), count: 0 };
    }
  }
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

/** Gives an idempotent producer its number. */
export function initProducerId({ request, response, connection }: Call): void {
  const transaction = request.nullableString();
  request.int32();
  response.int32(0);
  if (transaction !== null) {
    response.int16(Code.INVALID_REQUEST).int64(-1).int16(-1);
    return;
  }
  response.int16(Code.NONE).int64(connection.broker.newProducer()).int16(0);
}
