/** JoinGroup, SyncGroup, Heartbeat and LeaveGroup. @module */

import { Buffer } from "node:buffer";
import type { Call } from "../api.ts";
import { Code, codeOf } from "../errors.ts";
import type { Joined } from "../groups/group.ts";
import type { JoinRequest } from "../groups/protocols.ts";

const NOT_JOINED = { generation: -1, protocol: "", leader: "", members: [] };

/** Waits for all members of the group. */
export async function joinGroup(call: Call): Promise<void> {
  const { version, client, request, response, connection } = call;
  const group = request.string();
  const sessionMs = request.int32();
  const join: JoinRequest = {
    client,
    sessionMs,
    rebalanceMs: version >= 1 ? request.int32() : sessionMs,
    member: request.string(),
    type: request.string(),
    // Copies: views would keep the whole request alive.
    protocols: request.array(() => ({
      name: request.string(),
      metadata: Buffer.from(request.bytes()),
    })),
  };
  let code: number = Code.NONE;
  let joined: Joined = { ...NOT_JOINED, member: join.member };
  try {
    joined = await connection.broker.group(group)
      .join(join, (closed) => connection.onClose(closed));
  } catch (error) {
    code = codeOf(error);
  }
  const { generation, protocol, leader, member, members } = joined;
  if (version >= 2) response.int32(0);
  response.int16(code).int32(generation).string(protocol).string(leader).string(member);
  response.array(members, ({ id, metadata }) => response.string(id).bytes(metadata));
}

/** Waits for the assignment of the member. */
export async function syncGroup({ version, request, response, connection }: Call): Promise<void> {
  const [group, generation, member] = [request.string(), request.int32(), request.string()];
  const assignments = request.array(() => ({ id: request.string(), assignment: request.bytes() }));
  let code: number = Code.NONE;
  let own: Buffer = Buffer.alloc(0);
  try {
    own = await connection.broker.group(group).sync(generation, member, assignments);
  } catch (error) {
    code = codeOf(error);
  }
  if (version >= 1) response.int32(0);
  response.int16(code).bytes(own);
}

/** Renews the session of a member. */
export function heartbeat(call: Call): void {
  const { request, connection: { broker } } = call;
  const [group, generation, member] = [request.string(), request.int32(), request.string()];
  reply(call, () => broker.group(group).heartbeat(generation, member));
}

/** Ends the membership at once. */
export function leaveGroup(call: Call): void {
  const { request, connection: { broker } } = call;
  const [group, member] = [request.string(), request.string()];
  reply(call, () => broker.group(group).leave(member));
}

function reply({ version, response }: Call, task: () => void): void {
  let code: number = Code.NONE;
  try {
    task();
  } catch (error) {
    code = codeOf(error);
  }
  if (version >= 1) response.int32(0);
  response.int16(code);
}
