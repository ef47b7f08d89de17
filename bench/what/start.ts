/** `sluice serve` of the package: from the shell to its first answer, and its memory while it idles. @module */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Context } from "../context.ts";
import { type Command, commandFor, type RuntimeName, versionOf } from "../environment.ts";
import { cpuSeconds } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { freePort } from "../nginx.ts";
import { delay } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
/** Most times the start of an empty program, and most resident bytes. */
const TIMES = 1.3;
const RESIDENT: Partial<Record<RuntimeName, number>> = { node: 45e6, bun: 35e6 };
/** Time until a server is idle, in milliseconds. */
const SETTLE_MS = 4000;

const EMPTY = "";
const WAITS = "setInterval(() => {}, 1e6);";
/** Less than this no server can have whose threads are Workers. */
const WORKER = `import { isMainThread, Worker } from "node:worker_threads";
  if (isMainThread) new Worker(new URL(import.meta.url));
  setInterval(() => {}, 1e6);`;

/** The same for the first answer: a server of the runtime in a Worker. */
const ANSWERS = `import { isMainThread, Worker } from "node:worker_threads";
  import { createServer } from "node:net";
  const answer = (socket) => void socket.on("error", () => {}).end("HTTP/1.1 200 OK\\r\\n\\r\\n");
  if (isMainThread) new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  else createServer(answer).listen(Number(process.argv[2]), "127.0.0.1");`;

interface Memory {
  readonly resident: number;
  /** Its own and its share of what several processes map. */
  readonly proportional: number;
  /** Its own. */
  readonly private: number;
}

interface Round {
  readonly emptyMs: number;
  readonly answerMs: number;
  /** Of a Worker that answers by the runtime itself. */
  readonly workerMs: number;
  readonly cpuMs: number;
  /** Of the server, of a program that waits, and of one that has a Worker, too. */
  readonly memory: readonly Memory[];
}

/** Runs the benchmark. */
export async function start({ note, rounds, runtimes, workspace }: Context): Promise<Report> {
  if (!existsSync(MAIN)) throw new Error("dist/cli.js is missing: run `npm run build` first");
  workspace.file("file", 1024);
  const [empty, waits, worker, answers] = [EMPTY, WAITS, WORKER, ANSWERS].map((text, index) => {
    const path = join(workspace.files, `${index}.mjs`);
    writeFileSync(path, text);
    return path;
  }) as [string, string, string, string];
  const here = runtimes.filter((runtime) => versionOf(runtime) !== undefined);
  const all = here.map((runtime) => ({ runtime, rounds: [] as Round[] }));
  // The first round fills the caches, and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const { rounds, runtime } of all) {
      const startMs = performance.now();
      const { argv, env } = commandFor(runtime, empty, []);
      spawnSync(argv[0]!, argv.slice(1), { env: { ...process.env, ...env } });
      const emptyMs = performance.now() - startMs;
      const listens = await freePort();
      const least = await answer(commandFor(runtime, answers, [String(listens)]), listens);
      least.child.kill("SIGKILL");
      const port = await freePort();
      const args = ["serve", workspace.files, "--port", String(port), "--quiet"];
      const { answerMs, child, cpuMs } = await answer(commandFor(runtime, MAIN, args), port);
      const memory = [await settled(child)];
      for (const path of [waits, worker]) {
        const child = launch(commandFor(runtime, path, []));
        memory.push(await settled(child));
      }
      const workerMs = least.answerMs;
      if (round > 0) rounds.push({ emptyMs, workerMs, answerMs, cpuMs, memory });
    }
    note(`round ${round}`);
  }
  return report(all, rounds);
}

function launch({ argv, env }: Command): ChildProcess {
  return spawn(argv[0]!, argv.slice(1), { stdio: "ignore", env: { ...process.env, ...env } });
}

/** Starts a server, and requests a file as soon as it listens. */
async function answer(command: Command, port: number): Promise<
  { answerMs: number; cpuMs: number; child: ChildProcess }
> {
  const startMs = performance.now();
  const child = launch(command);
  for (;;) {
    const text = await request(port);
    if (text.startsWith("HTTP/1.1 200")) break;
    if (text !== "" || child.exitCode !== null) throw new Error(`The server failed: ${text}`);
    await delay(1);
  }
  const answerMs = performance.now() - startMs;
  return { answerMs, cpuMs: cpuSeconds(child.pid!) * 1000, child };
}

/** Returns the beginning of an answer, or nothing while nobody listens. */
async function request(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const data = await Promise.race([once(socket, "data"), once(socket, "close")]).catch(() => []);
  socket.destroy();
  return data[0] instanceof Uint8Array ? data[0].toString() : "";
}

/** Waits, reads the memory, and ends the process. */
async function settled(child: ChildProcess): Promise<Memory> {
  await delay(SETTLE_MS);
  const text = readFileSync(`/proc/${child.pid}/smaps_rollup`, "utf8");
  const of = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)![1]) * 1024;
  child.kill("SIGTERM");
  await once(child, "exit");
  return {
    resident: of("Rss"),
    proportional: of("Pss"),
    private: of("Private_Clean") + of("Private_Dirty"),
  };
}

function report(
  all: readonly { readonly runtime: RuntimeName; readonly rounds: readonly Round[] }[],
  rounds: number,
): Report {
  const memory = (all: readonly Round[], index: number) => {
    const of = (pick: (memory: Memory) => number) =>
      number(summarize(all.map((round) => pick(round.memory[index]!) / 1e6)).median);
    return `${of((it) => it.resident)} / ${of((it) => it.proportional)} / ${
      of((it) => it.private)
    }`;
  };
  const bars = all.flatMap(({ rounds, runtime }): Bar[] => {
    const limit = RESIDENT[runtime];
    const times = ratios(rounds.map((it) => it.answerMs), rounds.map((it) => it.emptyMs));
    const at = (what: string, value: Bar["value"], limit: number): Bar => ({
      subject: runtime,
      what,
      value,
      limit,
      wanted: "at most",
    });
    return [
      at("first answer / empty program", times, TIMES),
      ...limit === undefined ? [] : [
        at("resident bytes", summarize(rounds.map((it) => it.memory[0]!.resident)), limit),
      ],
    ];
  });
  return {
    title: "start: sluice serve from the shell to its first answer, and its idle memory",
    method: [
      `The package's command with --quiet, not pinned. Median (min-max) of ${rounds} interleaved rounds.`,
      "First answer: a client tries to connect every millisecond. CPU: until then, all threads.",
      "Without sluice: a program whose Worker listens by node:net and answers with a line.",
      `Memory ${
        SETTLE_MS / 1000
      } s later: resident / proportional / private MB. Other processes of the same runtime share its code.`,
    ],
    columns: [
      "",
      "empty program, ms",
      "first answer, ms",
      "of a Worker without sluice, ms",
      "CPU, ms",
      "memory",
      "a program that waits",
      "with an empty Worker",
    ],
    rows: all.map(({ rounds, runtime }) => [
      runtime,
      spread(summarize(rounds.map((it) => it.emptyMs))),
      spread(summarize(rounds.map((it) => it.answerMs))),
      spread(summarize(rounds.map((it) => it.workerMs))),
      spread(summarize(rounds.map((it) => it.cpuMs))),
      ...[0, 1, 2].map((index) => memory(rounds, index)),
    ]),
    bars,
    samples: all,
  };
}
