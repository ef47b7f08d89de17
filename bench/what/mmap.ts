/**
 * Random reads of a mapped file beside the runtime's reads, and opening a very long file.
 *
 * @module
 */

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import type { MappedCost } from "../client/mapped_reads.ts";
import type { Context } from "../context.ts";
import { commandFor, type RuntimeName, versionOf } from "../environment.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { compilePeer } from "../peers.ts";
import { run } from "../processes.ts";
import { type Bar, type Report, spread } from "../report.ts";

const SIZE = 2 ** 30;
const SPARSE = 16 * 2 ** 30;

/** Least ratio of the runtime's own reads to mapped reads. */
const OVER_SYNC = 20;
const OVER_PROMISE = 100;
const OPEN_MS = 1;

/** Reads of one run, as in bench/client/mapped_reads.ts. */
const READS = 400_000;

/** Output of bench/peers/mapped.c. */
interface PeerCost {
  readonly inPlaceNs: number;
  readonly hugeNs: number;
  readonly readNs: number;
}

interface Sample extends MappedCost {
  readonly runtime: RuntimeName;
}

/** Runs the benchmark. */
export async function mmap({ workspace, runtimes, rounds, peers, note }: Context): Promise<Report> {
  note("writing 1 GiB");
  const { path } = workspace.file("random", SIZE);
  const sparse = join(workspace.files, "sparse");
  const fd = openSync(sparse, "w");
  ftruncateSync(fd, SPARSE);
  closeSync(fd);
  const script = workspace.script("client/mapped_reads");
  const wanted = peers.has("c");
  const peer = wanted ? compilePeer(workspace, "mapped") : undefined;
  if (wanted && peer === undefined) note("no C compiler: measured without the bound");
  const samples: Sample[] = [];
  const bounds: PeerCost[] = [];
  const installed = runtimes.filter((name) => versionOf(name) !== undefined);
  for (let round = 1; round <= rounds; round++) {
    for (const runtime of installed) {
      note(`round ${round}, ${runtime}`);
      const cost = await run<MappedCost>(commandFor(runtime, script, [path, sparse]));
      samples.push({ ...cost, runtime });
    }
    if (peer !== undefined) bounds.push(await run<PeerCost>({ argv: [peer, path, String(READS)] }));
  }
  const groups = [...Map.groupBy(samples, ({ runtime }) => runtime)];
  const column = (costs: Sample[], name: keyof MappedCost) => costs.map((cost) => cost[name]);
  return {
    title:
      "mmap: 64 bytes at random offsets of a warm file of 1 GiB; a page of a sparse file of 16 GiB",
    method: [
      "Each method sums the 64 bytes, and all must give the same sum. The pages are in the page cache and in the mapping's page table.",
      "In place: touches 64 records first and then sums them, so that their loads from memory overlap. Singly: sums one record after the other.",
      "Copied: into an array, then summed. Checked: by readInto().",
      'Huge pages: the same after advise("hugepage"), with the file read again from the disk.',
      "C is the bound: the same sums in a C program, whose readSync is pread(2).",
      `Median (min-max) of ${rounds} processes; each reports the fastest of five runs.`,
    ],
    columns: [
      "runtime",
      "in place ns",
      "singly ns",
      "huge pages ns",
      "copied ns",
      "checked ns",
      "readSync ns",
      "promise ns",
      "first open ms",
      "open ms",
    ],
    rows: [
      ...groups.map(([runtime, costs]) => [
        runtime,
        ...([
          "inPlaceNs",
          "singlyNs",
          "hugeNs",
          "copiedNs",
          "checkedNs",
          "readSyncNs",
          "readPromiseNs",
          "firstOpenMs",
          "openMs",
        ] as const).map((name) => spread(summarize(column(costs, name)))),
      ]),
      ...boundRows(bounds),
    ],
    bars: [
      ...boundBars(bounds),
      ...groups.flatMap(([subject, costs]): Bar[] => {
        const mapped = column(costs, "inPlaceNs");
        const huge = column(costs, "hugeNs");
        const open: Bar = {
          subject,
          what: "ms to open 16 GiB and read a page",
          value: summarize(column(costs, "openMs")),
          limit: OPEN_MS,
          wanted: "at most",
        };
        return [
          {
            subject,
            what: "readSync / in place",
            value: ratios(column(costs, "readSyncNs"), mapped),
            limit: OVER_SYNC,
            wanted: "at least",
          },
          {
            subject,
            what: "readSync / singly",
            value: ratios(column(costs, "readSyncNs"), column(costs, "singlyNs")),
            limit: OVER_SYNC,
            wanted: "at least",
          },
          {
            subject,
            what: "readSync / huge pages",
            value: ratios(column(costs, "readSyncNs"), huge),
            limit: OVER_SYNC,
            wanted: "at least",
          },
          {
            subject,
            what: "promise / in place",
            value: ratios(column(costs, "readPromiseNs"), mapped),
            limit: OVER_PROMISE,
            wanted: "at least",
          },
          ...(subject === "bun" ? [] : [open]),
        ];
      }),
    ],
    samples: { samples, bounds },
  };
}

/** Rows with the times of C, in the columns of the runtimes. */
function boundRows(bounds: readonly PeerCost[]): string[][] {
  if (bounds.length === 0) return [];
  const [inPlace, huge, read] = (["inPlaceNs", "hugeNs", "readNs"] as const).map((name) =>
    spread(summarize(bounds.map((cost) => cost[name])))
  );
  return [["C", "", inPlace!, huge!, "", "", read!, "", "", ""]];
}

/** How much faster than a call memory is without any runtime, which bounds the gain. */
function boundBars(bounds: readonly PeerCost[]): Bar[] {
  if (bounds.length === 0) return [];
  const reads = bounds.map(({ readNs }) => readNs);
  return ([["singly", "inPlaceNs"], ["huge pages", "hugeNs"]] as const).map(([what, name]) => ({
    subject: "C",
    what: `pread / ${what}`,
    value: ratios(reads, bounds.map((cost) => cost[name])),
    limit: OVER_SYNC,
    wanted: "at least",
  }));
}
