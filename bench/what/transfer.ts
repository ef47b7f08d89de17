/** File to pipe to file, and file to socket, beside a C program with the same calls. @module */

import { spawnSync } from "node:child_process";
import { unlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TransferCost } from "../client/transfer.ts";
import type { Context } from "../context.ts";
import { type Command, commandFor, versionOf } from "../environment.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { compilePeer } from "../peers.ts";
import { PINNING, run, startServer } from "../processes.ts";
import { type Bar, type Report, spread } from "../report.ts";
import type { PeerName } from "../selection.ts";
import { sha256Of } from "../workspace.ts";

const MIB = 1024 * 1024;
const SIZE = 256 * MIB;
/** Transfers of one process. The fastest counts, because nothing disturbed it. */
const REPEATS = 5;
/** Most wall time, as a multiple of C's. */
const OF_C = 1.1;

const WAYS = { through: "file -> pipe -> file", send: "file -> socket" } as const;

interface Subject {
  readonly name: string;
  /** The transfers that it supports. */
  readonly ways: readonly string[];
  /** Whether it is sluice, to which the limit applies. */
  readonly ours: boolean;
  command(args: string[]): Command;
}

/** Runs the benchmark. */
export async function transfer(context: Context): Promise<Report> {
  const { workspace, runtimes, rounds, peers, note } = context;
  const file = workspace.file("source", SIZE);
  const subjects: Subject[] = [];
  const peer = peers.has("c") ? compilePeer(workspace, "transfer") : undefined;
  if (peer !== undefined) subjects.push(other("C", [peer]));
  else if (peers.has("c")) note("no cc: there is nothing to compare with");
  subjects.push(...otherLanguages(peers));
  const script = workspace.script("client/transfer");
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) continue;
    subjects.push({
      name: runtime,
      ways: Object.keys(WAYS),
      ours: true,
      command: (args) => commandFor(runtime, script, args),
    });
  }
  const sink = await startServer(
    commandFor("node", workspace.script("client/sink"), []),
    { behind: true },
  );
  const samples: (TransferCost & { what: string; subject: string })[] = [];
  const target = `${file.path}.copy`;
  for (let round = 1; round <= rounds; round++) {
    for (const what of Object.keys(WAYS)) {
      for (const { name, command } of subjects.filter(({ ways }) => ways.includes(what))) {
        note(`round ${round}, ${what}, ${name}`);
        const to = what === "send" ? String(sink.port) : target;
        const costs = await run<TransferCost[]>(command([what, file.path, to, String(REPEATS)]));
        if (what === "through") {
          if (round === 1 && sha256Of(target) !== file.sha256) {
            throw new Error(`${name} copied wrongly`);
          }
          unlinkSync(target);
        }
        const wallMs = Math.min(...costs.map((cost) => cost.wallMs));
        const cpuMs = Math.min(...costs.map((cost) => cost.cpuMs));
        samples.push({ what, subject: name, wallMs, cpuMs });
      }
    }
  }
  await sink.stop();
  const rows: string[][] = [];
  const bars: Bar[] = [];
  for (const [what, title] of Object.entries(WAYS)) {
    const of = (subject: string, key: "wallMs" | "cpuMs") =>
      samples.filter((each) => each.what === what && each.subject === subject)
        .map((each) => each[key]);
    for (const { name, ours } of subjects.filter(({ ways }) => ways.includes(what))) {
      const wall = of(name, "wallMs");
      rows.push([
        `${title}, ${name}`,
        spread(summarize(wall.map((ms) => SIZE / ms / 1e6))),
        spread(summarize(of(name, "cpuMs").map((ms) => ms * 1e6 / SIZE))),
      ]);
      if (!ours || peer === undefined) continue;
      const value = ratios(wall, of("C", "wallMs"));
      bars.push({
        subject: `${title}, ${name}`,
        what: "wall time / C",
        value,
        limit: OF_C,
        wanted: "at most",
      });
    }
  }
  return {
    title: "transfer: the calls of transfer() beside the same calls in C",
    method: [
      `256 MiB, in the page cache; the fastest of ${REPEATS} transfers in each of ${rounds} rounds, ` +
      "which are interleaved; a check of the bytes comes first.",
      "file -> pipe -> file: splice(2) through a pipe of 1 MiB into a new file.",
      "file -> socket: sendfile(2) to a TCP connection whose peer drops the bytes.",
      PINNING.replace("server", "sender").replace("clients", "receiver"),
    ],
    columns: ["", "GB/s", "CPU ms/MB"],
    rows,
    bars,
    samples,
  };
}

function other(name: string, argv: readonly string[], ways = Object.keys(WAYS)): Subject {
  return { name, ways, ours: false, command: (args) => ({ argv: [...argv, ...args] }) };
}

/** Returns the installed programs in other languages. */
function otherLanguages(peers: ReadonlySet<PeerName>): Subject[] {
  const path = (name: string) => fileURLToPath(new URL(`../peers/${name}`, import.meta.url));
  const works = (...argv: string[]) => spawnSync(argv[0]!, argv.slice(1)).status === 0;
  const found: Subject[] = [];
  if (peers.has("python") && works("python3", "-c", "import os; os.splice")) {
    found.push(other("CPython os.sendfile, os.splice", ["python3", path("transfer.py")]));
  } else if (peers.has("python") && works("python3", "-c", "import os; os.sendfile")) {
    found.push(other("CPython os.sendfile", ["python3", path("transfer.py")], ["send"]));
  }
  if (peers.has("java") && works("java", "-version")) {
    found.push(other("Java transferTo", ["java", path("Transfer.java")], ["send"]));
  }
  return found;
}
