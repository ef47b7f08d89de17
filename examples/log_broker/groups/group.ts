/**
 * A consumer group: its members agree, generation by generation, who reads which partition.
 *
 * A change of the members starts a rebalance. All members join again, the leader gets the list of
 * them and sends the assignments, and each member fetches its own by SyncGroup. The broker only
 * passes the assignments on.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { Code, Refusal } from "../errors.ts";

/** Time for the other members of a new group to arrive, in milliseconds. */
const FIRST_DELAY_MS = 150;
const LONGEST_SESSION_MS = 30 * 60_000;

/** What a member sends to join. */
export interface JoinRequest {
  /** Empty for a new member. */
  readonly member: string;
  readonly client: string;
  readonly sessionMs: number;
  readonly rebalanceMs: number;
  readonly type: string;
  /** The ways to assign partitions that it supports, and what it says about itself for each. */
  readonly protocols: readonly { readonly name: string; readonly metadata: Buffer }[];
}

/** What a member learns when the group is complete. */
export interface Joined {
  readonly generation: number;
  readonly protocol: string;
  readonly leader: string;
  readonly member: string;
  /** For the leader only. */
  readonly members: readonly { readonly id: string; readonly metadata: Buffer }[];
}

interface Member {
  readonly id: string;
  request: JoinRequest;
  assignment: Buffer;
  timer?: NodeJS.Timeout | undefined;
  join?: PromiseWithResolvers<Joined> | undefined;
  sync?: PromiseWithResolvers<Buffer> | undefined;
}

/** A group of consumers. */
export class Group {
  #state: "empty" | "joining" | "syncing" | "stable" = "empty";
  #generation = 0;
  #leader = "";
  #protocol = "";
  #timer: NodeJS.Timeout | undefined;
  /** Whether members may still arrive before the first generation. */
  #gathering = false;
  readonly #members: Map<string, Member> = new Map();

  /** Joins, and waits until all members have joined. `closed` is called when the client left. */
  join(request: JoinRequest, onClose: (closed: () => void) => void): Promise<Joined> {
    const { sessionMs } = request;
    if (sessionMs < 1 || sessionMs > LONGEST_SESSION_MS) {
      throw new Refusal(Code.INVALID_SESSION_TIMEOUT, `${sessionMs} ms`);
    }
    const others = [...this.#members.values()].filter(({ id }) => id !== request.member);
    const sameType = others.every((other) => other.request.type === request.type);
    if (!sameType || common([request, ...others.map((other) => other.request)]) === undefined) {
      throw new Refusal(Code.INCONSISTENT_GROUP_PROTOCOL, "no common protocol");
    }
    const id = request.member || `${request.client}-${randomUUID()}`;
    if (request.member === "") this.#members.set(id, { id, request, assignment: Buffer.alloc(0) });
    const member = this.#find(id);
    const same = isDeepStrictEqual(member.request.protocols, request.protocols);
    member.request = request;
    // A repeated request of the same generation; a leader that joins again wants a rebalance.
    const current = this.#state === "syncing" || (this.#state === "stable" && id !== this.#leader);
    if (request.member !== "" && same && current) {
      this.#touch(member);
      return Promise.resolve(this.#joined(member));
    }
    clearTimeout(member.timer);
    member.join?.reject(new Refusal(Code.UNKNOWN_MEMBER_ID, "joined again"));
    const join = member.join = Promise.withResolvers<Joined>();
    onClose(() => {
      if (member.join !== join) return;
      member.join = undefined;
      this.#touch(member);
    });
    this.#rebalance();
    return join.promise;
  }

  /** Waits for the assignment. The leader brings all of them, by member. */
  sync(generation: number, id: string, assigned: ReadonlyMap<string, Buffer>): Promise<Buffer> {
    const member = this.#check(generation, id, "joining");
    if (this.#state === "stable") return Promise.resolve(member.assignment);
    const sync = member.sync = Promise.withResolvers<Buffer>();
    if (id !== this.#leader) return sync.promise;
    this.#state = "stable";
    for (const each of this.#members.values()) {
      // A copy: a view would keep the whole request alive.
      each.assignment = Buffer.from(assigned.get(each.id) ?? "");
      each.sync?.resolve(each.assignment);
      each.sync = undefined;
      this.#touch(each);
    }
    return sync.promise;
  }

  /** Renews the session. */
  heartbeat(generation: number, id: string): void {
    this.#check(generation, id, "joining");
  }

  /** Leaves at once. */
  leave(id: string): void {
    this.#remove(this.#find(id));
  }

  /** Whether offsets may be committed: by members, or by anyone if there are none. */
  checkCommit(generation: number, id: string): void {
    if (generation < 0 && id === "" && this.#members.size === 0) return;
    this.#check(generation, id, "syncing");
  }

  #find(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined) throw new Refusal(Code.UNKNOWN_MEMBER_ID, id);
    return member;
  }

  /** The member, which is alive; refused while the rebalance is in the state `busy`. */
  #check(generation: number, id: string, busy: "joining" | "syncing"): Member {
    const member = this.#find(id);
    if (generation !== this.#generation) {
      throw new Refusal(Code.ILLEGAL_GENERATION, `${generation}`);
    }
    this.#touch(member);
    if (this.#state === busy) throw new Refusal(Code.REBALANCE_IN_PROGRESS, busy);
    return member;
  }

  /** Starts the session anew. A member that waits for the others needs no heartbeat. */
  #touch(member: Member): void {
    clearTimeout(member.timer);
    if (member.join !== undefined || this.#members.get(member.id) !== member) return;
    member.timer = setTimeout(() => this.#remove(member), member.request.sessionMs);
  }

  #remove(member: Member): void {
    clearTimeout(member.timer);
    this.#members.delete(member.id);
    const gone = new Refusal(Code.UNKNOWN_MEMBER_ID, member.id);
    member.join?.reject(gone);
    member.sync?.reject(gone);
    if (this.#members.size > 0 || this.#state === "joining") this.#rebalance();
    else this.#state = "empty";
  }

  #rebalance(): void {
    if (this.#state !== "joining") {
      this.#gathering = this.#state === "empty";
      this.#state = "joining";
      const again = new Refusal(Code.REBALANCE_IN_PROGRESS, "joining");
      for (const member of this.#members.values()) {
        member.sync?.reject(again);
        member.sync = undefined;
      }
      const limits = Array.from(this.#members.values(), ({ request }) => request.rebalanceMs);
      const delay = this.#gathering ? FIRST_DELAY_MS : Math.max(...limits);
      this.#timer = setTimeout(() => this.#complete(), delay);
    }
    const missing = [...this.#members.values()].some(({ join }) => join === undefined);
    if (!missing && !this.#gathering) this.#complete();
  }

  /** Begins the next generation, without those who have not joined. */
  #complete(): void {
    clearTimeout(this.#timer);
    for (const member of this.#members.values()) {
      if (member.join !== undefined) continue;
      clearTimeout(member.timer);
      this.#members.delete(member.id);
    }
    this.#generation++;
    const members = [...this.#members.values()];
    this.#state = members.length === 0 ? "empty" : "syncing";
    if (members.length === 0) return;
    if (!this.#members.has(this.#leader)) this.#leader = members[0]!.id;
    this.#protocol = common(members.map(({ request }) => request))!;
    for (const member of members) {
      member.join!.resolve(this.#joined(member));
      member.join = undefined;
      this.#touch(member);
    }
  }

  #joined(member: Member): Joined {
    const [generation, protocol, leader] = [this.#generation, this.#protocol, this.#leader];
    const members = [...member.id === leader ? this.#members.values() : []]
      .map((each) => ({ id: each.id, metadata: metadataOf(each, protocol)! }));
    return { generation, protocol, leader, member: member.id, members };
  }
}

/** The first protocol that all members support. */
function common(members: readonly JoinRequest[]): string | undefined {
  const [first, ...others] = members.map(({ protocols }) => protocols.map(({ name }) => name));
  return first!.find((name) => others.every((names) => names.includes(name)));
}

function metadataOf({ request }: Member, protocol: string): Buffer | undefined {
  return request.protocols.find(({ name }) => name === protocol)?.metadata;
}
