import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sendFile } from "../../../src/mod.ts";
import { close, OpenFlag, pipe2, raw, setStatusFlags, statusFlags } from "../../../src/sys/mod.ts";
import { pattern, withFileAsync } from "../../_kit/temp.ts";

const LENGTH = 3 * 1024 * 1024 + 1;

/** A connected pair `[read, write]` whose write end waits, as programs in C leave theirs. */
const PAIRS: Record<string, () => [number, number]> = {
  pipe: () => pipe2(OpenFlag.CLOEXEC),
  "Unix socket": () => {
    const fds = new Int32Array(2);
    assert.equal(raw.socketpair(1, 1 | OpenFlag.CLOEXEC, 0, fds), 0);
    return [fds[0]!, fds[1]!];
  },
};

/** Reads to the end, without waiting in the kernel: the other end is written by this thread. */
async function drain(fd: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(LENGTH + 1);
  for (let length = 0;;) {
    const count = raw.read(fd, bytes.subarray(length));
    if (count === 0) return bytes.subarray(0, length);
    if (count > 0) length += count;
    else await sleep(1);
  }
}

describe("sendFile() to a descriptor that blocks", () => {
  for (const [name, open] of Object.entries(PAIRS)) {
    it(`sends to a ${name} and leaves its flags alone`, async () => {
      await withFileAsync(pattern(LENGTH), async (file) => {
        const [read, write] = open();
        const flags = statusFlags(write);
        setStatusFlags(read, statusFlags(read) | OpenFlag.NONBLOCK);
        const received = drain(read);
        const { bytes } = await sendFile(write, file);
        assert.equal(statusFlags(write), flags);
        close(write);
        assert.equal(bytes, LENGTH);
        assert.deepEqual(await received, pattern(LENGTH));
        close(read);
      });
    });
  }
});
