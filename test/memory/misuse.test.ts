import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../ffi/mod.ts";
import { runChild } from "../_kit/child.ts";

const PROGRAM = new URL("./_fixtures/misuse.ts", import.meta.url);

const WAYS: Record<string, string> = {
  resizeWhileFlushing: "is resized while it is flushed and read ahead by a thread",
  closeWhileFlushing: "is closed while it is flushed and read ahead by a thread",
  closeInProgress: "is closed, as descriptors are, in what is told of the progress",
  sendToWorker: "is handed to a Worker, which goes on when it is closed",
  clone: "is handed on by structuredClone()",
  transfer: "is handed on by transfer(), at any length, and resized",
  untransferable: "was marked as not to be transferred",
  atomics: "is used by Atomics",
  wasm: "is compiled as WebAssembly, and closed meanwhile",
  decoders: "is decoded, compressed and wrapped, and closed meanwhile",
  subtle: "is hashed, encrypted and imported, and closed meanwhile",
  twoMaps: "is one of several of a file that gets shorter and longer",
  resizeUnderWrite: "is moved while it is written from",
  closeDirect: "is released with 64 operations in flight on a file that is closed",
  forgetDirect: "is forgotten, with its file, while operations are in flight",
  exitInFlight: "is in use by the kernel when the process exits",
  terminateInFlight: "is in use by the kernel when its Worker is terminated",
  children: "is in use by the kernel while children are started",
  lies: "says that it is longer than it is",
  reentered: "is closed by its own arguments",
  huge: "is larger than anything",
  deep: "is used at the end of the stack",
};

/** Collects garbage at the worst moments. */
const GC: Record<string, string[]> = {
  node: ["--expose-gc"],
  deno: ["--v8-flags=--expose-gc", "-A"],
  bun: [],
};
const flags = GC[runtime().name]!;

describe("the process goes on when memory", () => {
  for (const [way, text] of Object.entries(WAYS)) {
    it(`${text} (${way})`, { timeout: 150_000 }, async () => {
      const result = await runChild(PROGRAM, { args: [way], flags, timeoutMs: 120_000 });
      assert.deepEqual([result.signal, result.code], [null, 0], result.stdout + result.stderr);
      assert.match(result.stdout, /alive\n$/);
    });
  }
});
