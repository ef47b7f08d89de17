/** JoinGroup, SyncGroup, Heartbeat and LeaveGroup. @module */

import { Buffer } from "node:buffer";
import type { Call } from "../api.ts";
import { coded, codeOf } from "../errors.ts";

const NOT_JOINED = { generation: -1, protocol: "", leader: "", members: [] };

/** Waits for all members of the group. */
export async function joinGroup(call: Call): Promise<void> {
  const { version, client, request, response, broker, connection } = call;
  const group = request.string();
  const sessionMs = request.int32();
  const rebalanceMs = version >= 1 ? request.int32() : sessionMs;
  const [member, type] = [request.string(), request.string()];
  // Copies: views would keep the whole request alive.
  const protocols = request.array(() => (
    { name: request.string(), metadata: Buffer.from(request.bytes()) }
  ));
  const join = { client, sessionMs, rebalanceMs, member, type, protocols };
  const joined = await coded({ ...NOT_JOINED, member }, () => (
    broker.group(group).join(join, (closed) => connection.onClose(closed))
  ));
  if (version >= 2) response.int32(0);
  response.int16(joined.code).int32(joined.generation).string(joined.protocol);
  response.string(joined.leader).string(joined.member);
  response.array(joined.members, ({ id, metadata }) => response.string(id).bytes(metadata));
}

/** Waits for the assignment of the member. */
export async function syncGroup({ version, request, response, broker }: Call): Promise<void> {
  const [group, generation, member] = [request.string(), request.int32(), request.string()];
  const assigned = new Map(request.array(() => [request.string(), request.bytes()] as const));
  const { code, own } = await coded({ own: Buffer.alloc(0) }, async () => (
    { own: await broker.group(group).sync(generation, member, assigned) }
  ));
  if (version >= 1) response.int32(0);
  response.int16(code).bytes(own);
}

/** Renews the session of a member. */
export function heartbeat(call: Call): Promise<void> {
  const { request, broker } = call;
  const [group, generation, member] = [request.string(), request.int32(), request.string()];
  return reply(call, () => broker.group(group).heartbeat(generation, member));
}

/** Ends the membership at once. */
export function leaveGroup(call: Call): Promise<void> {
  const { request, broker } = call;
  const [group, member] = [request.string(), request.string()];
  return reply(call, () => broker.group(group).leave(member));
}

async function reply({ version, response }: Call, task: () => void): Promise<void> {
  const code = await codeOf(task);
  if (version >= 1) response.int32(0);
  response.int16(code);
}
