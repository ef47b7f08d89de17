/** Doing several things at a time, but not those that are in each other's way. @module */

/** How {@linkcode inLanes} treats one task. */
export interface LaneRules<T> {
  /** How many tasks are done at a time. */
  readonly lanes: number;
  /** What a task needs for itself: of the tasks with the same answer one is done at a time. */
  turn(task: T): string | undefined;
  /** Whether nothing may be done beside the task: it waits until all others are done. */
  alone(task: T): boolean;
}

/** Does every task, in their order as far as the rules allow. The first error ends it. */
export async function inLanes<T>(
  tasks: readonly T[],
  { lanes, turn, alone }: LaneRules<T>,
  body: (task: T) => Promise<void>,
): Promise<void> {
  const waiting = tasks.filter((task) => !alone(task));
  const taken = new Set<string>();
  let sleepers: (() => void)[] = [];
  const lane = async () => {
    while (waiting.length > 0) {
      const next = waiting.findIndex((task) => !taken.has(turn(task) ?? ""));
      if (next < 0) {
        // What is left waits for its turn, so for the end of what another lane does.
        await new Promise<void>((resolve) => sleepers.push(resolve));
        continue;
      }
      const [task] = waiting.splice(next, 1) as [T];
      const key = turn(task);
      if (key !== undefined) taken.add(key);
      try {
        await body(task);
      } finally {
        if (key !== undefined) taken.delete(key);
        sleepers.forEach((wake) => wake());
        sleepers = [];
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, lanes) }, lane));
  for (const task of tasks.filter(alone)) await body(task);
}
