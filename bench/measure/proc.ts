/** Reads the kernel's counters of a process and its children, from proc(5). @module */

import { readdirSync, readFileSync } from "node:fs";

/** Ticks per second of the times in `/proc`: `USER_HZ`, 100 on all processors. */
const TICKS = 100;

/** Returns user and system seconds of a process, all its threads, and its living children. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const each of tree(pid)) {
    // The second field is a name in parentheses that may contain spaces. Counts from its end.
    const stat = readFileSync(`/proc/${each}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS;
}

/**
 * Returns the seconds for which a hypervisor withheld processors from this machine ("steal" in
 * proc(5)), summed over the processors; 0 without a hypervisor.
 */
export function withheldSeconds(): number {
  const [total] = readFileSync("/proc/stat", "latin1").split("\n", 1);
  return Number(total!.split(/ +/)[8] ?? 0) / TICKS;
}

/** Returns the resident memory of a process and its children in bytes: now, and at its peak. */
export function memory(pid: number): { resident: number; peak: number } {
  let resident = 0;
  let peak = 0;
  for (const each of tree(pid)) {
    const status = readFileSync(`/proc/${each}/status`, "latin1");
    resident += kilobytes(status, "VmRSS");
    peak += kilobytes(status, "VmHWM");
  }
  return { resident, peak };
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
}

function tree(pid: number): number[] {
  const pids = [pid];
  for (const parent of pids) {
    for (const thread of readdirSync(`/proc/${parent}/task`)) {
      const children = readFileSync(`/proc/${parent}/task/${thread}/children`, "latin1");
      pids.push(...children.split(" ").filter((text) => text !== "").map(Number));
    }
  }
  return pids;
}
