import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../../ffi/mod.ts";
import * as sys from "../../../src/sys/mod.ts";
import { Acceptor } from "../../../src/threads/loop/acceptor.ts";
import { Timer } from "../../../src/threads/loop/timers.ts";
import { openFds, type Scope, scoped } from "../../_kit/fds.ts";
import { runChild } from "../../_kit/child.ts";
import { testLoop } from "./_job.ts";

const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const OUT_OF_DESCRIPTORS = new URL("./_fixtures/emfile.ts", import.meta.url);

function listener(scope: Scope): number {
  const fd = scope.fd(sys.socket(sys.AddressFamily.INET, STREAM | NONBLOCK | CLOEXEC));
  sys.bind(fd, { family: "IPv4", address: "127.0.0.1", port: 0 });
  sys.listen(fd, 200);
  return fd;
}

function connect(scope: Scope, fd: number): number {
  const client = scope.fd(sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC));
  sys.connect(client, sys.getsockname(fd));
  return client;
}

describe("Acceptor", () => {
  it(
    "takes every connection, also more than its budget, without blocking",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const fd = listener(scope);
      for (let i = 0; i < 100; i++) connect(scope, fd);
      let count = 0;
      const acceptor = new Acceptor(loop, fd, {
        accepted(accepted) {
          scope.fd(accepted);
          assert.ok(sys.statusFlags(accepted) & sys.OpenFlag.NONBLOCK);
          assert.ok(sys.closesOnExec(accepted));
          if (++count === 100) stop();
        },
      });
      run();
      acceptor.close();
      acceptor.close();
      assert.equal(count, 100);
    }),
  );

  it(
    "leaves connections in the queue while it pauses, and takes them when it resumes",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const fd = listener(scope);
      for (let i = 0; i < 3; i++) connect(scope, fd);
      let count = 0;
      let paused = false;
      const resume = () => {
        assert.equal(count, 1);
        paused = false;
        acceptor.resume();
      };
      const acceptor = new Acceptor(loop, fd, {
        accepted(accepted) {
          scope.fd(accepted);
          assert.ok(!paused);
          count++;
          if (count === 3) stop();
          if (count > 1) return;
          paused = true;
          acceptor.pause();
          loop.timers.start(new Timer({ onTimeout: resume }), 20);
        },
      });
      run();
      acceptor.close();
    }),
  );

  it(
    "resumes by itself after a time",
    scoped((scope) => {
      const { loop, run, stop } = testLoop(scope);
      const fd = listener(scope);
      const acceptor = new Acceptor(loop, fd, {
        accepted(accepted) {
          scope.fd(accepted);
          stop();
        },
      });
      acceptor.pause();
      acceptor.resume(20);
      assert.ok(!acceptor.watching);
      connect(scope, fd);
      run();
      assert.ok(acceptor.watching);
      acceptor.close();
    }),
  );

  it(
    "shares a listener with another loop",
    scoped((scope) => {
      const fd = listener(scope);
      const loops = [testLoop(scope), testLoop(scope)];
      const before = openFds();
      let count = 0;
      const acceptors = loops.map(({ loop }) =>
        new Acceptor(loop, fd, {
          accepted(accepted) {
            scope.fd(accepted);
            if (++count === 5) loops.forEach(({ stop }) => stop());
          },
        })
      );
      for (let i = 0; i < 5; i++) connect(scope, fd);
      loops.forEach(({ run }) => run());
      acceptors.forEach((acceptor) => acceptor.close());
      assert.equal(count, 5);
      assert.equal(openFds(), before + 10 - 2);
    }),
  );

  it("closes connections at once when no descriptor is left", async () => {
    const { code, stdout, stderr } = await runChild(OUT_OF_DESCRIPTORS);
    assert.equal(code, 0, `${runtime().name}: ${stderr}`);
    assert.equal(stdout, "refused 3, then accepted 1\n");
  });
});
