/** The relaying threads: see relay_server.ts and relay.ts. A separate entry. @module */

import { ECANCELED, ESHUTDOWN, ETIMEDOUT } from "../../../errno.ts";
import { READY_ID, type WorkerCommand } from "../../../threads/worker_pool.ts";
import type { JobContext } from "../../../threads/job.ts";
import { Acceptor } from "../../../threads/loop/acceptor.ts";
import { Loop } from "../../../threads/loop/loop.ts";
import { Placement } from "../../../threads/loop/placement.ts";
import { Attempt, type AttemptOwner, GONE } from "./attempt.ts";
import type { RelayCommand, RelayJobData } from "./commands.ts";
import { Count } from "./counters.ts";
import { Direction, type SharedBuffers, TURN_BYTES } from "../direction.ts";
import { Pair, type PairOwner, WATCHED } from "../pair.ts";
import { oldestSilent } from "./room.ts";
import { endOf, Report } from "./traces.ts";
import { relayPool } from "../../engine/pipe_pool.ts";

/** Relays until `job.stopping()`. */
export function run(job: JobContext): void {
  new RelayThread(job).run();
}

/** One thread: its loop, its listener and its connections. */
class RelayThread implements PairOwner {
  readonly loop: Loop;
  readonly buffers: SharedBuffers = { pipes: relayPool(), turnBytes: TURN_BYTES };
  readonly idleMs: number;
  readonly #job: JobContext;
  readonly #data: RelayJobData;
  readonly #connections = new Set<Pair | Attempt>();
  /** Numbers of the connections, if each is reported. */
  readonly #numbers: Map<Pair | Attempt, number> | undefined;
  #lastNumber = 0;
  readonly #adopted = new Map<number, Pair>();
  #acceptor: Acceptor | undefined;
  #placement: Placement | undefined;
  #drainId = 0;

  constructor(job: JobContext) {
    this.#job = job;
    this.#data = job.data as RelayJobData;
    this.idleMs = this.#data.idleMs;
    this.#numbers = this.#data.traced ? new Map() : undefined;
    this.loop = new Loop(job, (message) => {
      const { id, command } = message as WorkerCommand<RelayCommand>;
      this.#obey(id, command);
    });
    const [listener] = job.fds;
    if (listener !== undefined) this.#listen(listener);
  }

  run(): void {
    this.#job.complete(READY_ID, 0);
    this.#job.flush();
    try {
      this.loop.run();
    } finally {
      this.#acceptor?.close();
      this.#placement?.close();
      for (const connection of this.#connections) connection.cut(ESHUTDOWN);
      for (const pair of this.#adopted.values()) pair.cut(ESHUTDOWN);
      if (this.#numbers !== undefined) this.#job.flush();
      this.buffers.pipes.close();
      this.#data.counters[Count.PIPES] = this.buffers.pipes.open;
    }
  }

  /** Called by its pairs. */
  moved(_: Pair, up: number, down: number): void {
    const { counters } = this.#data;
    counters[Count.UP]! += up;
    counters[Count.DOWN]! += down;
    counters[Count.PIPES] = this.buffers.pipes.open;
  }

  /** Called by its pairs. */
  ended(pair: Pair, result: number): void {
    if (result === ETIMEDOUT) this.#data.counters[Count.IDLE]!++;
    else if (result < 0 && result !== ECANCELED) this.#data.counters[Count.BROKEN]!++;
    this.#tellEnd(pair, result);
    this.#leave(pair);
  }

  #listen(listener: number): void {
    const { connectMs, counters, index, maxConnections, shares, total, upstreams } = this.#data;
    const { sheds } = this.#data;
    const owner: AttemptOwner = {
      loop: this.loop,
      upstreams,
      connectMs,
      connected: (attempt, client, server) => this.#relay(attempt, client, server),
      failed: (attempt, result) => {
        if (result === GONE || result === ESHUTDOWN) counters[Count.BROKEN]!++;
        else {
          counters[Count.UNREACHED]!++;
          counters[Count.LAST_ERRNO] = -result;
        }
        this.#tellEnd(attempt, result);
        this.#leave(attempt);
      },
    };
    const accepted = (client: number) => {
      const attempt = new Attempt(client, owner);
      counters[Count.ACCEPTED]!++;
      this.#connections.add(attempt);
      counters[Count.ACTIVE] = this.#connections.size;
      if (this.#numbers !== undefined) this.#tellStart(attempt);
      attempt.start();
    };
    if (shares !== null) this.#placement = new Placement(this.loop, shares, index, accepted);
    const leave = () => void Atomics.sub(total, 0, 1);
    this.#acceptor = new Acceptor(this.loop, listener, {
      limit: {
        enter: () => {
          if (Atomics.add(total, 0, 1) < maxConnections) return true;
          // The one that goes gives its place back.
          if (sheds && this.#makeRoom()) return true;
          leave();
          return false;
        },
        leave,
      },
      exhausted: () => this.#makeRoom(),
      accepted: (client) => {
        if (this.#placement === undefined) accepted(client);
        else this.#placement.place(client);
      },
      refused: () => void counters[Count.REFUSED]!++,
    });
  }

  #relay(attempt: Attempt, client: number, server: number): void {
    this.#connections.delete(attempt);
    const { buffers } = this;
    const up = new Direction(buffers, client, server);
    const down = new Direction(buffers, server, client);
    const pair = new Pair(up, down, this);
    this.#connections.add(pair);
    if (this.#numbers !== undefined) {
      this.#numbers.set(pair, this.#numbers.get(attempt)!);
      this.#numbers.delete(attempt);
    }
    this.loop.pass(client, pair.first());
    this.loop.pass(server, pair.second());
    pair.start();
  }

  #tellStart(attempt: Attempt): void {
    this.#numbers!.set(attempt, ++this.#lastNumber);
    this.#job.complete(Report.STARTED, this.#lastNumber);
  }

  #tellEnd(connection: Pair | Attempt, result: number): void {
    const number = this.#numbers?.get(connection);
    if (number === undefined) return;
    this.#numbers!.delete(connection);
    const [up, down] = connection instanceof Pair ? connection.bytes : [0, 0];
    this.#job.complete(Report.UP, up);
    this.#job.complete(Report.DOWN, down);
    const copied = connection instanceof Pair && connection.copied;
    this.#job.complete(Report.ENDED, endOf(number, -result, copied));
  }

  /** Resets the oldest connection on which nothing has moved; false where there is none. */
  #makeRoom(): boolean {
    const chosen = oldestSilent(this.#connections, this.loop.now);
    if (chosen === undefined) return false;
    this.#data.counters[Count.SHED]!++;
    chosen.cut(ECANCELED);
    return true;
  }

  #leave(connection: Pair | Attempt): void {
    this.#connections.delete(connection);
    const { counters, total } = this.#data;
    counters[Count.ACTIVE] = this.#connections.size;
    counters[Count.PIPES] = this.buffers.pipes.open;
    Atomics.sub(total, 0, 1);
    this.#placement?.left();
    // Does nothing if it is closed.
    this.#acceptor?.resume();
    this.#drained();
  }

  #obey(id: number, command: RelayCommand): void {
    switch (command.type) {
      case "drain":
        this.#acceptor?.close();
        this.#placement?.close();
        // Connections that other threads have accepted for this one may finish too.
        this.#placement?.onEvents();
        this.#drainId = id;
        return this.#drained();
      case "adopt":
        return this.#adopt(id, command);
      case "cut":
        this.#adopted.get(command.pair)?.cut(ESHUTDOWN);
        this.#job.complete(id, 0);
    }
  }

  #drained(): void {
    if (this.#drainId === 0 || this.#connections.size > 0) return;
    this.#job.complete(this.#drainId, 0);
    // A connection that another thread passes on meanwhile ends later; the drain does not wait for
    // it.
    this.#drainId = 0;
  }

  #adopt(id: number, command: RelayCommand & { type: "adopt" }): void {
    const { ahead, blocking, counters, fds: [first, second], idleMs } = command;
    const up = new Direction(this.buffers, first, second, { ahead: ahead[0], copying: blocking });
    const down = new Direction(this.buffers, second, first, { ahead: ahead[1], copying: blocking });
    const pair: Pair = new Pair(up, down, {
      loop: this.loop,
      buffers: this.buffers,
      idleMs,
      moved(_, up, down) {
        counters[Count.UP]! += up;
        counters[Count.DOWN]! += down;
      },
      ended: (_, result) => {
        this.#adopted.delete(command.pair);
        if (pair.copied) counters[Count.COPIED] = 1;
        this.#job.complete(id, result);
      },
    });
    this.#adopted.set(command.pair, pair);
    const added = this.loop.add(first, WATCHED, pair.first());
    const result = added < 0 ? added : this.loop.add(second, WATCHED, pair.second());
    if (result < 0) pair.cut(result);
    else pair.start();
  }
}
