/** A serving thread's connection to a helper: started, lost, started again. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Frames } from "../../../../src/http/server/background/frames.ts";
import { BackgroundLink } from "../../../../src/http/server/background/background_link.ts";
import * as sys from "../../../../src/sys/mod.ts";
import type { Loop } from "../../../../src/threads/loop/loop.ts";
import { Timer } from "../../../../src/threads/loop/timers.ts";
import { scoped } from "../../../_kit/fds.ts";
import { testLoop } from "../../../threads/loop/_job.ts";

const { UNIX } = sys.AddressFamily;
const STREAM = sys.SocketType.STREAM | sys.SocketType.NONBLOCK | sys.SocketType.CLOEXEC;

/** Longer than a lost helper is left alone. */
const LATER_MS = 1100;

/** A helper that answers with its number and the request, until it is told to end. */
function helper(loop: Loop, number: number): number {
  const [ours, theirs] = sys.socketpair(UNIX, STREAM) as [number, number];
  const handler = {
    received(id: number, [request]: Uint8Array) {
      if (request === 0) loop.close(theirs);
      else frames.send(id, Uint8Array.of(number, request!));
    },
    ended: () => loop.close(theirs),
  };
  const frames = new Frames(loop, theirs, handler);
  return ours;
}

const END = Uint8Array.of(0);

describe("BackgroundLink", () => {
  it(
    "starts a helper again that has ended, and tells it nothing that was meant for the last one",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const answers: string[] = [];
      let started = 0;
      const link = new BackgroundLink(loop, () => link.connect(helper(loop, ++started)));
      const ask = (request: number, serial?: number) =>
        link.send(
          Uint8Array.of(request),
          (answer) => answers.push(`${request}: ${answer ?? "none"}`),
          serial,
        );
      ask(1);
      const first = link.serial;
      ask(2, first);
      link.send(END, () => {
        answers.push("ended");
        ask(3);
        ask(4, first);
        assert.equal(link.gone, true);
      });
      const onTimeout = () => {
        assert.equal(link.gone, false);
        // No helper is started for what the last one knew.
        ask(5, first);
        assert.equal(started, 1);
        ask(6);
        ask(7, first);
        ask(8, link.serial);
        loop.timers.start(new Timer({ onTimeout: stop }), 50);
      };
      loop.timers.start(new Timer({ onTimeout }), LATER_MS);
      run();
      link.close();
      assert.equal(started, 2);
      assert.deepEqual(answers.slice(0, 5), ["1: 1,1", "2: 1,2", "ended", "3: none", "4: none"]);
      assert.deepEqual(answers.slice(5).sort(), ["5: none", "6: 2,6", "7: none", "8: 2,8"]);
    }),
  );

  it(
    "lets requests fail that wait for a helper that cannot be started",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      let started = 0;
      const link = new BackgroundLink(loop, () => started++);
      const answers: unknown[] = [];
      for (let i = 0; i < 3; i++) link.send(END, (answer) => answers.push(answer));
      loop.again({ onTurn: () => link.connect(-1) });
      loop.timers.start(new Timer({ onTimeout: stop }), 20);
      run();
      assert.deepEqual([started, answers], [1, [undefined, undefined, undefined]]);
      assert.equal(link.gone, true);
    }),
  );

  it(
    "takes the next helper before it has noticed the end of the last one",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const link = new BackgroundLink(loop, () => {});
      const [ours, theirs] = sys.socketpair(UNIX, STREAM) as [number, number];
      link.connect(ours);
      const answers: string[] = [];
      const hear = (answer: Uint8Array | undefined) => void answers.push(`${answer ?? "none"}`);
      link.send(Uint8Array.of(1), hear);
      sys.close(theirs);
      loop.again({
        onTurn() {
          link.connect(helper(loop, 2));
          link.send(Uint8Array.of(3), hear);
          link.send(Uint8Array.of(4), hear, 1);
        },
      });
      loop.timers.start(new Timer({ onTimeout: stop }), 50);
      run();
      link.close();
      assert.deepEqual(answers.sort(), ["2,3", "none", "none"]);
    }),
  );
});
