/** The ways to assign partitions that the members of a group support. @module */

import type { Buffer } from "node:buffer";

/** A way to assign partitions that a member supports, and what it says about itself for it. */
export interface Protocol {
  readonly name: string;
  readonly metadata: Buffer;
}

/** What a member sends to join. */
export interface JoinRequest {
  /** Empty for a new member. */
  readonly member: string;
  readonly client: string;
  readonly sessionMs: number;
  readonly rebalanceMs: number;
  readonly type: string;
  readonly protocols: readonly Protocol[];
}

/** Whether all members support the protocol `name`. */
export function supportedBy(
  members: readonly { readonly request: JoinRequest }[],
  name: string,
): boolean {
  return members.every(({ request }) => request.protocols.some((each) => each.name === name));
}

/** Whether a member says the same about itself as before. */
export function sameProtocols(one: JoinRequest, other: JoinRequest): boolean {
  return one.protocols.length === other.protocols.length &&
    one.protocols.every(({ name, metadata }, i) =>
      name === other.protocols[i]!.name && metadata.equals(other.protocols[i]!.metadata)
    );
}
