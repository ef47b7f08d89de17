/** What happens where the system makes no more threads, and afterwards. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NO_STRACE } from "../faults/_faults.ts";
import { commandLine } from "../_kit/child.ts";

const FIXTURE = new URL("./_fixtures/few_threads.ts", import.meta.url);
const NO_THREAD = /^ERR_SLUICE_UNSUPPORTED: .*"sluice [a-z ]+".*no more threads.*RLIMIT_NPROC/;

/** What each of them does without another thread. */
const WITHOUT: Record<string, RegExp> = {
  // On the calling thread.
  copyFile: /^whole$/,
  wait: NO_THREAD,
  server: NO_THREAD,
  direct: /^whole$/,
  open: /^runtime$/,
};

/** How Deno and Bun end where they can start no thread of their own, for which they ask now and then. */
const ENDED_BY_ITSELF = /^Deno could not start: unable to create|^oh no: Bun has crashed/m;
const TRIES = 8;

/** Has clone(2) and clone3(2) of a process fail until the returned function is called. */
async function withoutThreads(pid: number): Promise<() => Promise<void>> {
  const calls = "clone,clone3";
  const inject = ["-e", `trace=${calls}`, "-e", `inject=${calls}:error=EAGAIN`];
  const tracer = spawn("strace", ["-f", "-qq", "-o", "/dev/null", ...inject, "-p", String(pid)], {
    stdio: "ignore",
  });
  const traced = () => !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  while (!traced()) await sleep(10);
  return async () => {
    // It detaches; the process goes on.
    tracer.kill("SIGINT");
    if (tracer.exitCode === null && tracer.signalCode === null) await once(tracer, "exit");
  };
}

/** Returns false if the runtime ended by itself. */
async function survives(what: string, without: RegExp): Promise<boolean> {
  const [executable, ...args] = commandLine(FIXTURE, [what]);
  const child = spawn(executable!, args, { stdio: ["pipe", "pipe", "pipe"] });
  const timer = setTimeout(() => process.kill(child.pid!, "SIGKILL"), 60_000);
  const exited = once(child, "exit");
  const told = new Promise<void>((resolve) => child.stderr.once("end", () => resolve()));
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  const done = async () => {
    child.stdin.write("\n");
    return JSON.parse(await next()) as string;
  };
  try {
    assert.equal(await next(), "ready");
    const end = await withoutThreads(child.pid!);
    assert.match(await done(), without);
    await end();
    assert.match(await done(), /^whole$/);
    child.stdin.end();
    assert.deepEqual(await exited, [0, null]);
    return true;
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    await Promise.race([told, sleep(5000)]);
    if (ENDED_BY_ITSELF.test(stderr)) return false;
    console.error(stderr);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

describe("where the system makes no more threads", { skip: NO_STRACE }, () => {
  for (const [what, without] of Object.entries(WITHOUT)) {
    it(`${what} ends well or names the remedy, and works again afterwards`, async () => {
      for (let i = 0; i < TRIES; i++) {
        if (await survives(what, without)) return;
      }
      assert.fail(`the runtime ended by itself ${TRIES} times`);
    });
  }
});
