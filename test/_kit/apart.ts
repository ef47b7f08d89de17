/** Which test files cannot run beside just any other. @module */

/** A path, or the beginning of one, and why. */
interface Entry {
  readonly path: string;
  readonly reason: string;
}

/** Those that run with nothing beside them, after all others. */
export const ALONE: readonly Entry[] = [
  {
    path: "test/stress/",
    reason: "takes all that the machine has, and measures what it keeps",
  },
];

/** Those that share what there is one of: one of them runs at a time, whatever the runtime. */
export const IN_TURN: readonly Entry[] = [
  {
    path: "test/package/",
    reason: "the project that has the package installed, and its tarballs",
  },
];

/** Whether nothing may run beside `file`. */
export function isAlone(file: string): boolean {
  return ALONE.some(({ path }) => file.startsWith(path));
}

/** What `file` needs for itself, if anything. */
export function turnOf(file: string): string | undefined {
  return IN_TURN.find(({ path }) => file.startsWith(path))?.path;
}
