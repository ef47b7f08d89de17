/** Describes what the processes of a hanging test file were doing. @module */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Describes every process of a process group: command, threads with the system call that each waits
 * in, and descriptors.
 *
 * The newest come first: a test mostly hangs because one of its children does, and logs get cut.
 * The process of the file itself is the last.
 */
export function describeGroup(group: number): string {
  const members = readdirSync("/proc").filter((pid) => groupOf(pid) === group);
  members.sort((a, b) => Number(b) - Number(a));
  const summary = `${members.length} processes, the newest first: ${members.join(" ")}`;
  return [summary, ...members.map(describeProcess)].join("\n");
}

function groupOf(pid: string): number | undefined {
  // The name of the command, in parentheses, may contain anything.
  const fields = /^\d+$/.test(pid) ? read(`/proc/${pid}/stat`).split(") ").at(-1) : undefined;
  return fields === undefined ? undefined : Number(fields.split(" ")[2]);
}

function describeProcess(pid: string): string {
  const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  const threads = list(`/proc/${pid}/task`).map((thread) => describeThread(pid, thread));
  const descriptors = list(`/proc/${pid}/fd`).map((fd) => `${fd}=${link(`/proc/${pid}/fd/${fd}`)}`);
  return [
    `process ${pid}: ${command || "(ended)"}`,
    ...withoutIdle(threads),
    `  descriptors: ${descriptors.join(" ")}`,
  ].join("\n");
}

/** Leaves out the threads of V8 that wait for work: there are several in each process. */
function withoutIdle(threads: string[]): string[] {
  return threads.filter((text) =>
    !/^ {2}thread \d+ (node-V8Worker|V8 \S+|DelayedTask\w*): S /.test(text)
  );
}

function describeThread(pid: string, thread: string): string {
  const at = `/proc/${pid}/task/${thread}`;
  const state = /^State:\s*(.+)$/m.exec(read(`${at}/status`))?.[1] ?? "gone";
  const [call = "?", ...args] = read(`${at}/syscall`).trim().split(" ");
  const name = read(`${at}/comm`).trim();
  // The last two values are the stack and the instruction.
  return `  thread ${thread} ${name}: ${state}, ${
    read(`${at}/wchan`) || "?"
  }, system call ${call}(${args.slice(0, -2).join(", ")})`;
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Reads a file of procfs; empty if the process has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "?";
  }
}
