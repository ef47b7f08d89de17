/** Which requests and versions are answered, and by what. @module */

import type { Buffer } from "node:buffer";
import type { Broker } from "./broker.ts";
import type { Connection } from "./connection.ts";
import { Code } from "./errors.ts";
import { fetch } from "./requests/fetch.ts";
import { heartbeat, joinGroup, leaveGroup, syncGroup } from "./requests/groups.ts";
import { findCoordinator, initProducerId, metadata } from "./requests/metadata.ts";
import { listOffsets, offsetCommit, offsetFetch } from "./requests/offsets.ts";
import { produce } from "./requests/produce.ts";
import { Malformed, Reader, Writer } from "./wire.ts";

/** A request, and the response that is being written. */
export interface Call {
  readonly version: number;
  readonly client: string;
  readonly request: Reader;
  readonly response: Writer;
  readonly broker: Broker;
  readonly connection: Connection;
}

/** Reads a request and writes its response. Returns false if the client wants none. */
export type Handler = (call: Call) => void | boolean | Promise<void | boolean>;

interface Api {
  readonly versions: readonly [lowest: number, highest: number];
  /** Lowest version that clients are told, if another one. */
  readonly told?: number;
  readonly handle: Handler;
  /**
   * If a response may be just an error code, which a malformed request then gets: the version from
   * which a time to wait precedes it.
   */
  readonly waitSince?: number;
}

/** By key. The versions are those before the "flexible" encoding. */
const APIS: Readonly<Record<number, Api>> = {
  // librdkafka compresses only if the broker names version 0, which it does not use. Kafka 4 also
  // names it for this reason (KAFKA-18659).
  0: { versions: [3, 7], told: 0, handle: produce },
  1: { versions: [4, 11], handle: fetch },
  2: { versions: [1, 2], handle: listOffsets },
  3: { versions: [1, 5], handle: metadata },
  8: { versions: [2, 3], handle: offsetCommit },
  9: { versions: [1, 3], handle: offsetFetch },
  10: { versions: [0, 1], handle: findCoordinator },
  11: { versions: [0, 3], handle: joinGroup },
  12: { versions: [0, 1], handle: heartbeat, waitSince: 1 },
  13: { versions: [0, 1], handle: leaveGroup, waitSince: 1 },
  14: { versions: [0, 1], handle: syncGroup },
  18: { versions: [0, 2], handle: apiVersions },
  22: { versions: [0, 1], handle: initProducerId, waitSince: 0 },
};
const API_VERSIONS = 18;

/** After the `last` response, the connection must end. */
type Answer = { readonly response?: Writer; readonly last?: boolean };

/** Answers one message. */
export async function answer(frame: Buffer, connection: Connection): Promise<Answer> {
  const request = new Reader(frame);
  const [key, version] = [request.int16(), request.int16()];
  const response = new Writer().int32(0).int32(request.int32());
  const api = APIS[key];
  if (api === undefined || version < api.versions[0] || version > api.versions[1]) {
    // Clients that are newer than the broker find the version to use here (KIP-511).
    if (key === API_VERSIONS) writeVersions(response, Code.UNSUPPORTED_VERSION);
    else response.int16(Code.UNSUPPORTED_VERSION);
    return { response, last: key !== API_VERSIONS };
  }
  const client = request.nullableString() ?? "";
  const call = { version, client, request, response, broker: connection.broker, connection };
  try {
    return await api.handle(call) === false ? {} : { response };
  } catch (error) {
    if (!(error instanceof Malformed) || api.waitSince === undefined) throw error;
    const refusal = new Writer().int32(0).int32(frame.readInt32BE(4));
    if (version >= api.waitSince) refusal.int32(0);
    return { response: refusal.int16(Code.INVALID_REQUEST), last: true };
  }
}

function apiVersions({ version, response }: Call): void {
  writeVersions(response, Code.NONE);
  if (version >= 1) response.int32(0);
}

function writeVersions(response: Writer, code: number): void {
  response.int16(code).array(Object.entries(APIS), ([key, { versions, told }]) => {
    response.int16(Number(key)).int16(told ?? versions[0]).int16(versions[1]);
  });
}
