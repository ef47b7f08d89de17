/** A job context for tests: a loop runs on it in this very thread until it is told to stop. @module */

import * as sys from "../../../src/sys/mod.ts";
import type { JobContext } from "../../../src/threads/job.ts";
import { Loop } from "../../../src/threads/loop/loop.ts";
import { Timer } from "../../../src/threads/loop/timers.ts";

/** A loop, and what ends it. */
export interface TestLoop {
  readonly loop: Loop;
  /** Hands a command to the loop, as a host does. */
  post(command: unknown): void;
  /** Ends `run()` after the current turn. */
  stop(): void;
  /** Runs the loop until `stop()`; fails when that takes more than 10 s. */
  run(): void;
  /** How often the loop has waited. */
  turns(): number;
}

/** Longest wait of these loops, in milliseconds. */
export const PARK_MS = 50;

/** Makes a loop whose commands go to `onCommand`. */
export function testLoop(
  scope: { fd(fd: number): number },
  onCommand?: (command: unknown) => void,
): TestLoop {
  const wakeFd = scope.fd(sys.eventfd(0, sys.EventfdFlag.NONBLOCK));
  const commands: unknown[] = [];
  let stopped = false;
  let turns = 0;
  const job: JobContext = {
    data: undefined,
    fds: [],
    wakeFd,
    parkMs: PARK_MS,
    stopping: () => stopped,
    commands() {
      sys.raw.read(wakeFd, new Uint8Array(8));
      return commands.splice(0);
    },
    complete: () => {},
    flush: () => void turns++,
  };
  const loop = new Loop(job, onCommand);
  const stop = () => void (stopped = true);
  return {
    loop,
    stop,
    turns: () => turns,
    post(command) {
      commands.push(command);
      sys.write(wakeFd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
    },
    run() {
      let late = false;
      const onTimeout = () => {
        late = true;
        stop();
      };
      loop.timers.start(new Timer({ onTimeout }), 10_000);
      loop.run();
      if (late) throw new Error("The loop was not stopped within 10 s");
    },
  };
}
