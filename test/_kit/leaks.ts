/** Counts the descriptors of this process. @module */

import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { close, OpenFlag, pipe2, PollEvent } from "../../src/sys/mod.ts";
import { write as writeRaw } from "../../src/sys/raw/files.ts";
import { runBlocking } from "../../src/threads/blocking/blocking.ts";
import { WorkerHost } from "../../src/threads/worker_host.ts";
import { ready } from "../../src/threads/poll/poll_ready.ts";

/** All open descriptors as `"number:kind"`, except for standard input and output. */
export function openDescriptors(): string[] {
  const links = readdirSync("/proc/self/fd").map((fd) => [fd, link(fd)] as const);
  // Runtimes duplicate them on their first output.
  const standard = ["0", "1", "2"].map(link);
  return links.filter(([, kind]) => kind !== "" && !standard.includes(kind))
    .map(([fd, kind]) => `${fd}:${kind}`);
}

function link(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor that read the folder.
    return "";
  }
}

/** Waits until no descriptor of this file is open, because runtimes close theirs with a delay. */
export async function assertClosed(path: string): Promise<void> {
  const open = () => openDescriptors().filter((descriptor) => descriptor.endsWith(`:${path}`));
  for (let i = 0; i < 250 && open().length > 0; i++) await sleep(20);
  assert.deepEqual(open(), []);
}

/** Starts the threads that the library keeps: their descriptors are not leaks. */
export async function startThreads(): Promise<void> {
  const [read, write] = pipe2(OpenFlag.NONBLOCK | OpenFlag.CLOEXEC);
  // Wait until the thread has answered, because its runtime opens descriptors late.
  const readable = ready(read, PollEvent.IN);
  writeRaw(write, Uint8Array.of(1));
  await readable;
  await runBlocking("fsync", read);
  // Deno keeps an event loop after the first thread has ended.
  const host = new WorkerHost({
    job: "blocking",
    data: { nice: 0 },
    completed: () => {},
    ended: () => {},
  });
  await host.close();
  close(read);
  close(write);
}

/**
 * A `describe` whose last test fails if the others have left descriptors open.
 *
 * `warmUp` runs once, so that the runtime opens the descriptors that it keeps: pollers, thread
 * pools. (The check is a test instead of an `after` hook, because Node.js 22 ignores failures of
 * hooks.)
 */
export function describeWithoutLeaks(
  name: string,
  { skip = false, warmUp }: { skip?: string | false; warmUp: () => Promise<unknown> },
  body: () => void,
): void {
  describe(name, () => {
    let earlier: string[] = [];
    before(async () => {
      if (skip) return;
      await warmUp();
      await startThreads();
      earlier = openDescriptors();
    });
    body();
    it("leaves no descriptor open", { skip }, async () => {
      // The runtimes close theirs with a delay, the pipe pool after two seconds, and the threads of
      // a mount, procfs included, after ten.
      for (let i = 0; i < 800 && openDescriptors().length > earlier.length; i++) await sleep(20);
      const now = openDescriptors();
      const added = now.filter((descriptor) => !earlier.includes(descriptor));
      assert.ok(now.length <= earlier.length, `left open: ${added.join(", ")}`);
    });
  });
}
