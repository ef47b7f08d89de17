/** The report of how cost grows. @module */

import { summarize, type Summary } from "../measure/stats.ts";
import { PINNING } from "../processes.ts";
import { number, type Report, spread } from "../report.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** What grows. */
export type Axis = "idle" | "clients" | "bytes" | "threads" | "files";

/** What a load did. */
export interface Cost {
  readonly bytes: number;
  readonly requests: number;
  readonly seconds: number;
  /** Resident bytes of the server at the interesting moment; otherwise at the end. */
  readonly resident?: number;
}

/** One figure. */
export interface Sample extends Cost {
  readonly axis: Axis;
  readonly x: number;
  readonly subject: string;
  readonly cpuSeconds: number;
  readonly resident: number;
  /** Resident bytes that the load added. */
  readonly grown: number;
}

const WORDS: Record<Axis, string> = {
  idle: "idle connections",
  clients: "connections that request 64 KiB repeatedly",
  bytes: "bytes of the file, for two clients",
  threads: "threads, for 64 connections and files of 64 KiB",
  files: "files in a folder",
};

type Figure = (sample: Sample) => number;

const GB_PER_SECOND: Figure = ({ bytes, seconds }) => bytes / 1e9 / seconds;
const CPU_PER_GB: Figure = ({ bytes, cpuSeconds }) => cpuSeconds / (bytes / 1e9);
const CPU_MICROS: Figure = ({ cpuSeconds, requests }) => cpuSeconds * 1e6 / requests;
const KB_PER_CONNECTION: Figure = ({ grown, x }) => grown / 1e3 / x;
const LIST_MS: Figure = ({ seconds }) => seconds * 1e3;

/** What each axis shows, by the title of the figure. */
const FIGURES: Record<Axis, Readonly<Record<string, Figure>>> = {
  idle: { "KB/connection": KB_PER_CONNECTION },
  clients: { "CPU-s/GB": CPU_PER_GB, "GB/s": GB_PER_SECOND },
  bytes: { "CPU-s/GB": CPU_PER_GB, "GB/s": GB_PER_SECOND },
  threads: { "CPU-s/GB": CPU_PER_GB, "GB/s": GB_PER_SECOND },
  files: { "ms to list": LIST_MS },
};
const AXES = Object.keys(WORDS) as Axis[];

/** Returns the report. */
export function report(
  samples: readonly Sample[],
  subjects: readonly string[],
  rounds: number,
  forMs: number,
): Report {
  const cells = AXES.flatMap((axis) => {
    const those = samples.filter((sample) => sample.axis === axis);
    const points = [...new Set(those.map(({ x }) => x))].sort((a, b) => a - b);
    return points.flatMap((x) => subjects.map((subject) => ({ axis, x, subject })));
  });
  const summary = ({ axis, subject, x }: typeof cells[number], figure: Figure): Summary =>
    summarize(
      samples.filter((it) => it.axis === axis && it.x === x && it.subject === subject).map(figure),
    );
  return {
    title: "growth: what connections, bytes, threads and folders cost",
    method: [
      `One server with one thread, or the given number; ${forMs} ms for each figure of clients, bytes and threads; median (min-max) of ${rounds} interleaved rounds.`,
      "Files from 1 GiB on are sparse. Those larger than the memory are read from the file system, not from the page cache.",
      "Idle: each connection has got 64 KiB, then waits. Memory is what the server has grown by.",
      "Folders: one request for the listing; sluice shows the first page, nginx all names. Then a request for the last file.",
      `CPU: user and system time of all threads of the server. A GB has 10^9 bytes. ${PINNING}; with two threads, the server has both processors and shares the second with the clients.`,
    ],
    columns: ["", "GB/s", "CPU-s/GB", "CPU us/request", "ms", "resident MB", "KB/connection"],
    rows: cells.map((cell) => {
      const { axis, subject, x } = cell;
      const shown = (figure: Figure, ...on: Axis[]) =>
        on.includes(axis) ? spread(summary(cell, figure)) : "";
      return [
        `${axis === "bytes" ? size(x) : `${x} ${axis}`}, ${subject}`,
        shown(GB_PER_SECOND, "clients", "bytes", "threads"),
        shown(CPU_PER_GB, "clients", "bytes", "threads"),
        shown(CPU_MICROS, "clients", "bytes", "threads", "files"),
        shown(LIST_MS, "files"),
        number(summary(cell, ({ resident }) => resident / 1e6).max),
        shown(KB_PER_CONNECTION, "idle"),
      ];
    }),
    bars: [],
    series: AXES.flatMap((axis) =>
      Object.entries(FIGURES[axis]).map(([title, figure], index) => ({
        name: `${axis}-${index === 0 ? "cost" : "speed"}`,
        title: `${title} by ${WORDS[axis]}`,
        lines: subjects.map((name) => ({
          name,
          points: cells.filter((cell) => cell.axis === axis && cell.subject === name)
            .map((cell) => ({ x: cell.x, ...summary(cell, figure) })),
        })),
      }))
    ),
    samples,
  };
}

function size(bytes: number): string {
  if (bytes >= GIB) return `${bytes / GIB} GiB`;
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`;
}
