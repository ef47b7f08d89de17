/** Answering messages in a thread that may wait. @module */

import type { JobContext } from "../../../threads/job.ts";
import { Loop } from "../../../threads/loop/loop.ts";
import { Frames } from "./frames.ts";

/** What answers messages. */
export interface FrameAnswerer {
  /** Makes the answer to a message. */
  answer(message: Uint8Array): Uint8Array;
  /** Called if the last answer could not be delivered. */
  undelivered?(): void;
  /** Called in the end with what has come and has not been answered. */
  unanswered?(message: Uint8Array): void;
}

/** Answers the requests through each of `job.fds`, one after the other, until the job must stop. */
export function serveFrames(job: JobContext, answerer: FrameAnswerer): void {
  const loop = new Loop(job);
  const waiting: { readonly message: Uint8Array; reply(): void }[] = [];
  // One message in a turn: the thread can be told to stop in between.
  const task = { onTurn: () => waiting.shift()?.reply() };
  const ends = job.fds.map((fd) => {
    const frames: Frames = new Frames(loop, fd, {
      received(id, message) {
        const reply = () => {
          if (!frames.send(id, answerer.answer(message))) answerer.undelivered?.();
        };
        waiting.push({ message, reply });
        loop.again(task);
      },
      ended() {},
    });
    return frames;
  });
  loop.run();
  for (const frames of ends) frames.readAll();
  for (const { message } of waiting) answerer.unanswered?.(message);
}
