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

/** What the leader has assigned to a member. */
export interface Assigned {
  readonly id: string;
  readonly assignment: Buffer;
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
    if (!this.#agrees(request)) {
      throw new Refusal(Code.INCONSISTENT_GROUP_PROTOCOL, "no common protocol");
    }
    const member = request.member === "" ? this.#admit(request) : this.#find(request.member);
    const changed = member.request !== request && !sameProtocols(member.request, request);
    member.request = request;
    clearTimeout(member.timer);
    // A repeated request of the same generation; a leader that joins again wants a rebalance.
    const repeated = this.#state === "syncing" ||
      (this.#state === "stable" && member.id !== this.#leader);
    if (repeated && request.member !== "" && !changed) {
      this.#touch(member);
      return Promise.resolve(this.#joined(member));
    }
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

  /** Waits for the assignment. The leader brings all of them. */
  sync(generation: number, id: string, assignments: readonly Assigned[]): Promise<Buffer> {
    const member = this.#check(generation, id);
    if (this.#state === "joining") throw new Refusal(Code.REBALANCE_IN_PROGRESS, "joining");
    if (this.#state === "stable") return Promise.resolve(member.assignment);
    const sync = member.sync = Promise.withResolvers<Buffer>();
    if (id === this.#leader) this.#assign(assignments);
    return sync.promise;
  }

  #assign(assignments: readonly Assigned[]): void {
    for (const { id, assignment } of assignments) {
      const target = this.#members.get(id);
      // A copy: a view would keep the whole request alive.
      if (target !== undefined) target.assignment = Buffer.from(assignment);
    }
    this.#state = "stable";
    for (const each of this.#members.values()) {
      each.sync?.resolve(each.assignment);
      each.sync = undefined;
      this.#touch(each);
    }
  }

  /** Renews the session. */
  heartbeat(generation: number, id: string): void {
    this.#check(generation, id);
    if (this.#state === "joining") throw new Refusal(Code.REBALANCE_IN_PROGRESS, "joining");
  }

  /** Leaves at once. */
  leave(id: string): void {
    this.#remove(this.#find(id));
  }

  /** Whether offsets may be committed: by members, or by anyone if there are none. */
  checkCommit(generation: number, id: string): void {
    if (generation < 0 && id === "" && this.#members.size === 0) return;
    this.#check(generation, id);
    if (this.#state === "syncing") throw new Refusal(Code.REBALANCE_IN_PROGRESS, "syncing");
  }

  /** Ends all timers. */
  close(): void {
    clearTimeout(this.#timer);
    for (const { timer } of this.#members.values()) clearTimeout(timer);
  }

  /** Whether it supports a protocol that all other members support, too. */
  #agrees({ member, type, protocols }: JoinRequest): boolean {
    const others = [...this.#members.values()].filter(({ id }) => id !== member);
    return others.every(({ request }) => request.type === type) &&
      protocols.some(({ name }) => others.every((other) => metadataOf(other, name)));
  }

  #admit(request: JoinRequest): Member {
    const id = `${request.client}-${randomUUID()}`;
    const member: Member = { id, request, assignment: Buffer.alloc(0) };
    this.#members.set(id, member);
    return member;
  }

  #find(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined) throw new Refusal(Code.UNKNOWN_MEMBER_ID, id);
    return member;
  }

  #check(generation: number, id: string): Member {
    const member = this.#find(id);
    if (generation !== this.#generation) {
      throw new Refusal(Code.ILLEGAL_GENERATION, `${generation}, not ${this.#generation}`);
    }
    this.#touch(member);
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
    for (const member of [...this.#members.values()]) {
      if (member.join !== undefined) continue;
      clearTimeout(member.timer);
      this.#members.delete(member.id);
    }
    this.#generation++;
    this.#state = "empty";
    const members = [...this.#members.values()];
    if (members.length === 0) return;
    this.#state = "syncing";
    const [first] = members as [Member];
    if (!this.#members.has(this.#leader)) this.#leader = first.id;
    this.#protocol = first.request.protocols
      .find(({ name }) => members.every((each) => metadataOf(each, name)))!.name;
    for (const member of members) {
      member.assignment = Buffer.alloc(0);
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

function metadataOf({ request }: Member, protocol: string): Buffer | undefined {
  return request.protocols.find(({ name }) => name === protocol)?.metadata;
}

/** Whether a member says the same about itself as before. */
function sameProtocols({ protocols }: JoinRequest, { protocols: others }: JoinRequest): boolean {
  return protocols.length === others.length &&
    protocols.every(({ name, metadata }, i) =>
      name === others[i]!.name && metadata.equals(others[i]!.metadata)
    );
}
