/** Requests of a serving thread to the disk thread, with and without replies. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BackgroundLink } from "../../../../src/http/server/background/background_link.ts";
import {
  answerOf,
  PrefetchClient,
  requestOf,
} from "../../../../src/http/server/thread/prefetch_client.ts";
import { SharedFile } from "../../../../src/http/server/response/shared_file.ts";
import { Frames } from "../../../../src/http/server/background/frames.ts";
import * as sys from "../../../../src/sys/mod.ts";
import { Timer } from "../../../../src/threads/loop/timers.ts";
import { scoped } from "../../../_kit/fds.ts";
import { testLoop } from "../../../threads/loop/_job.ts";

const { UNIX } = sys.AddressFamily;
const STREAM = sys.SocketType.STREAM | sys.SocketType.NONBLOCK | sys.SocketType.CLOEXEC;

/** More than can ever be under way. */
const MANY = 1000;

const pair = () => sys.socketpair(UNIX, STREAM) as [number, number];

describe("Disk", () => {
  it(
    "starts the thread once, asks for no more than its share, and hears all answers",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      let started = 0;
      let users = 0;
      const file = new SharedFile({ fd: 7, size: 1, close: () => users = -1 });
      const link = new BackgroundLink(loop, () => started++);
      const disk = new PrefetchClient(link);
      const heard: number[] = [];
      const ask = (at: number) => disk.ask(file, at, 1, { onDisk: (result) => heard.push(result) });
      let asked = 0;
      while (asked < MANY && ask(asked) !== 0) asked++;
      assert.ok(asked > 16 && asked < MANY, `${asked} under way`);
      const [ours, theirs] = pair();
      scope.fd(theirs);
      const offsets: number[] = [];
      const handler = {
        received(id: number, message: Uint8Array) {
          const { fd, length, offset } = requestOf(message);
          assert.deepEqual([fd, length], [7, 1]);
          offsets.push(offset);
          thread.send(id, answerOf(offset === 3 ? -5 : 0));
        },
        ended() {},
      };
      const thread = new Frames(loop, theirs, handler);
      link.connect(ours);
      const task = { onTurn: () => heard.length < asked ? loop.again(task) : stop() };
      loop.again(task);
      run();
      assert.equal(started, 1);
      assert.deepEqual(offsets, Array.from({ length: asked }, (_, index) => index));
      assert.deepEqual(heard, offsets.map((offset) => offset === 3 ? -5 : 0));
      assert.notEqual(ask(0), 0, "there is room again");
      assert.equal(users, 0);
      link.close();
    }),
  );

  it(
    "lets everybody go on by themselves when the thread is gone, and asks no more for a second",
    scoped((scope) => {
      const { loop, run, stop, turns } = testLoop(scope);
      const [ours, theirs] = pair();
      let started = 0;
      const link = new BackgroundLink(loop, () => started++);
      link.connect(ours);
      const file = new SharedFile({ fd: 0, size: 1, close() {} });
      const disk = new PrefetchClient(link);
      let heard = 0;
      const ask = () => disk.ask(file, 0, 1, { onDisk: () => heard++ });
      for (let i = 0; i < 3; i++) ask();
      sys.close(theirs);
      const onTimeout = () => {
        assert.equal(disk.gone, true);
        assert.equal(ask(), 0);
        stop();
      };
      loop.timers.start(new Timer({ onTimeout }), 250);
      run();
      assert.deepEqual([heard, started], [3, 0]);
      // Some for the timer, and one for the end: it is not told again and again.
      assert.ok(turns() < 50, `${turns()} turns`);
    }),
  );
});
