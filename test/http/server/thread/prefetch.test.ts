/** A thread's end of the socket to the disk thread, with and without replies. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ANSWER_BYTES,
  PrefetchClient,
  REQUEST_BYTES,
} from "../../../../src/http/server/thread/prefetch_client.ts";
import { SharedFile } from "../../../../src/http/server/response/shared_file.ts";
import * as sys from "../../../../src/sys/mod.ts";
import { Timer } from "../../../../src/threads/loop/timers.ts";
import { scoped } from "../../../_kit/fds.ts";
import { testLoop } from "../../../threads/loop/_job.ts";

const { UNIX } = sys.AddressFamily;
const STREAM = sys.SocketType.STREAM | sys.SocketType.NONBLOCK | sys.SocketType.CLOEXEC;

/** More than can ever be under way. */
const MANY = 1000;

describe("Disk", () => {
  it(
    "asks for no more than what the answers have room for, and hears all of them",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const [ours, theirs] = sys.socketpair(UNIX, STREAM).map((fd) => scope.fd(fd)) as [
        number,
        number,
      ];
      let woken = 0;
      let users = 0;
      const file = new SharedFile({ fd: 0, size: 1, close: () => users = -1 });
      const disk = new PrefetchClient(loop, ours, () => woken++);
      const heard: number[] = [];
      const ids: number[] = [];
      const request = new Uint8Array(REQUEST_BYTES);
      const answer = new DataView(new ArrayBuffer(ANSWER_BYTES));
      // A quick disk answers, and makes room for more requests, before the first answer is read.
      for (let round = 0; round < 3; round++) {
        const asked: number[] = [];
        for (let i = 0; i < MANY; i++) {
          const id = disk.ask(file, i, 1, { onDisk: (result) => heard.push(result) });
          if (id === 0) break;
          asked.push(id);
        }
        for (const id of asked) {
          assert.equal(sys.read(theirs, request), REQUEST_BYTES);
          answer.setUint32(0, id, true);
          assert.equal(sys.write(theirs, new Uint8Array(answer.buffer)), ANSWER_BYTES);
        }
        ids.push(...asked);
      }
      assert.equal(woken, 1);
      assert.ok(ids.length > 16 && ids.length < MANY, `${ids.length} under way`);
      const task = { onTurn: () => heard.length < ids.length ? loop.again(task) : stop() };
      loop.again(task);
      run();
      assert.deepEqual(heard, ids.map(() => 0));
      assert.notEqual(disk.ask(file, 0, 1, { onDisk() {} }), 0, "there is room again");
      assert.equal(users, 0);
    }),
  );

  it(
    "lets everybody go on by themselves when the thread is gone, and asks no more",
    scoped((scope) => {
      const { loop, run, stop, turns } = testLoop(scope);
      const [ours, theirs] = sys.socketpair(UNIX, STREAM) as [number, number];
      scope.fd(ours);
      const file = new SharedFile({ fd: 0, size: 1, close() {} });
      const disk = new PrefetchClient(loop, ours, () => {});
      let heard = 0;
      for (let i = 0; i < 3; i++) disk.ask(file, i, 1, { onDisk: () => heard++ });
      sys.close(theirs);
      loop.timers.start(new Timer({ onTimeout: stop }), 250);
      run();
      assert.equal(heard, 3);
      assert.equal(disk.gone, true);
      assert.equal(disk.ask(file, 0, 1, { onDisk() {} }), 0);
      // Some for the timer, and one for the end: it is not told again and again.
      assert.ok(turns() < 50, `${turns()} turns`);
    }),
  );
});
