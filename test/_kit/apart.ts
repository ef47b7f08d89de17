/** Test files that cannot run beside all others. @module */

/** A path or path prefix, and the reason. */
interface Entry {
  readonly path: string;
  readonly reason: string;
}

/** Tests that run alone, after all others. */
export const ALONE: readonly Entry[] = [
  {
    path: "test/stress/",
    reason: "takes all that the machine has, and measures what it keeps",
  },
];

/** Tests that share a single resource: one of them runs at a time, on any runtime. */
export const IN_TURN: readonly Entry[] = [
  {
    path: "test/move/pseudo_files.test.ts",
    reason: "trace_pipe, which the kernel lets one process open at a time",
  },
];

/** Whether `file` must run alone. */
export function isAlone(file: string): boolean {
  return ALONE.some(({ path }) => file.startsWith(path));
}

/** Resource that `file` needs for itself, if any. */
export function turnOf(file: string): string | undefined {
  return IN_TURN.find(({ path }) => file.startsWith(path))?.path;
}
