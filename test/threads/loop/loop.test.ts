import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../../src/sys/mod.ts";
import { Timer } from "../../../src/threads/loop/timers.ts";
import { CLOSED_FD, drain, openFds, scoped } from "../../_kit/fds.ts";
import { PARK_MS, testLoop } from "./_job.ts";

const { IN, OUT, HUP, ET } = sys.EpollEvent;
const ONE = Uint8Array.of(1);

describe("Loop", () => {
  it(
    "calls the handler of what is ready, with its events",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const [a, b] = scope.unix();
      const [quiet] = scope.unix();
      const seen: number[] = [];
      assert.equal(loop.add(quiet, IN, { onEvents: () => assert.fail("nothing came") }), 0);
      assert.equal(
        loop.add(a, IN, {
          onEvents(events) {
            seen.push(events);
            stop();
          },
        }),
        0,
      );
      sys.write(b, ONE);
      run();
      assert.deepEqual(seen, [IN]);
    }),
  );

  it(
    "repeats what is left undone, but for edge-triggered descriptors",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const counts = { level: 0, edge: 0 };
      for (const [name, flags] of [["edge", IN | ET], ["level", IN]] as const) {
        const [a, b] = scope.unix();
        loop.add(a, flags, { onEvents: () => void (++counts[name] === 5 && stop()) });
        sys.write(b, ONE);
      }
      run();
      assert.deepEqual(counts, { level: 5, edge: 1 });
    }),
  );

  it(
    "watches for other events on request, and no more after remove()",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const [a, b] = scope.unix();
      const seen: number[] = [];
      loop.add(a, IN, {
        onEvents(events) {
          seen.push(events);
          if (seen.length === 1) return void loop.modify(a, OUT);
          loop.remove(a);
          loop.remove(a);
          loop.timers.start(new Timer({ onTimeout: stop }), 0);
        },
      });
      sys.write(b, ONE);
      run();
      assert.deepEqual(seen, [IN, OUT]);
      assert.deepEqual([...drain(a)], [1]);
    }),
  );

  it(
    "returns -errno for what cannot be watched",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const [a] = scope.unix();
      const handler = { onEvents: () => {} };
      assert.equal(loop.add(CLOSED_FD, IN, handler), -9, "EBADF");
      assert.equal(loop.add(scope.memfd(), IN, handler), -1, "EPERM");
      assert.equal(loop.add(a, IN, handler), 0);
      assert.equal(loop.add(a, IN, handler), -17, "EEXIST");
      stop();
      run();
    }),
  );

  it(
    "closes a descriptor at the end of the turn, so that its number cannot get older events",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const pairs = [scope.unix(), scope.unix()];
      const fds = pairs.map(([fd]) => sys.dupCloexec(fd));
      let calls = 0;
      fds.forEach((fd, i) =>
        loop.add(fd, IN, {
          onEvents() {
            calls++;
            loop.close(fds[1 - i]!);
            const next = sys.eventfd(0);
            assert.ok(!fds.includes(next), "a number was reused within the turn");
            loop.close(next);
            loop.close(fd);
            stop();
          },
        })
      );
      pairs.forEach(([, peer]) => sys.write(peer, ONE));
      const before = openFds();
      run();
      assert.equal(calls, 1, "one handler closed the descriptor of the other");
      assert.equal(openFds(), before - 3, "two descriptors and the epoll set");
    }),
  );

  it(
    "hides an event from a handler that was added for the same descriptor after it came",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const [a, peerOfA] = scope.unix();
      const [b, peerOfB] = scope.unix();
      const stale = { onEvents: () => assert.fail("the event came before this handler") };
      const swap = (own: number, fd: number) => ({
        onEvents() {
          loop.remove(own);
          loop.remove(fd);
          // Edge-triggered, and emptied: there is nothing to report from now on.
          drain(fd);
          assert.equal(loop.add(fd, IN | ET, stale), 0);
          loop.timers.start(new Timer({ onTimeout: stop }), 0);
        },
      });
      loop.add(a, IN, swap(a, b));
      loop.add(b, IN, swap(b, a));
      sys.write(peerOfA, ONE);
      sys.write(peerOfB, ONE);
      run();
    }),
  );

  it(
    "gives a task one turn per request, with the events in between",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const [a, b] = scope.unix();
      const log: string[] = [];
      const task = {
        onTurn() {
          log.push("task");
          if (log.length < 6) loop.again(task);
          else stop();
        },
      };
      loop.add(a, IN, { onEvents: () => void log.push("event") });
      loop.again(task);
      sys.write(b, ONE);
      run();
      assert.deepEqual(log, ["event", "task", "event", "task", "event", "task"]);
    }),
  );

  it(
    "hands the host's commands over, also while it is busy",
    scoped((scope) => {
      const commands: unknown[] = [];
      const test = testLoop(scope, (command) => {
        commands.push(command);
        if (command === "last") test.stop();
      });
      const busy = { onTurn: () => test.loop.again(busy) };
      test.loop.again(busy);
      test.post("first");
      test.loop.timers.start(new Timer({ onTimeout: () => test.post("last") }), 20);
      test.run();
      assert.deepEqual(commands, ["first", "last"]);
    }),
  );

  it(
    "never waits longer than the host allows, and fires its timers",
    scoped((scope) => {
      const { loop, run, stop, turns } = testLoop(scope);
      // Timers count from the start of the turn.
      const began = loop.now;
      let fired = 0;
      loop.timers.start(new Timer({ onTimeout: stop }), 10 * PARK_MS);
      loop.timers.start(new Timer({ onTimeout: () => fired = loop.now - began }), 2 * PARK_MS);
      run();
      // Without the limit there would be two. On a busy machine, each of the ten takes longer.
      assert.ok(turns() >= 5, `${turns()} turns`);
      assert.ok(fired >= 2 * PARK_MS, `fired after ${fired} ms`);
    }),
  );

  it(
    "reports the end of a peer, and many descriptors in one turn",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const seen = new Set<number>();
      for (let i = 0; i < 300; i++) {
        const [a, b] = sys.socketpair(sys.AddressFamily.UNIX, sys.SocketType.STREAM);
        scope.fd(a);
        loop.add(a, IN | ET, {
          onEvents(events) {
            assert.ok(events & HUP);
            seen.add(a);
            if (seen.size === 300) stop();
          },
        });
        sys.close(b);
      }
      run();
      assert.equal(seen.size, 300);
    }),
  );

  it(
    "ends with what a handler throws, and frees its descriptors",
    scoped((scope) => {
      const test = testLoop(scope, () => {
        throw new RangeError("on purpose");
      });
      const before = openFds();
      test.post(1);
      assert.throws(test.run, /on purpose/);
      assert.equal(openFds(), before - 1);
    }),
  );
});
