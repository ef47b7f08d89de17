/** Runs several tasks at a time, except those that would disturb each other. @module */

/** Rules of {@linkcode inLanes}. */
export interface LaneRules<T> {
  /** Number of tasks that run at a time. */
  readonly lanes: number;
  /** Number of tasks that run beside these as long as `idle()`, which is asked each second. */
  readonly spare?: number;
  /** Whether the machine has had time to spare since the last call. */
  idle?(): boolean;
  /** Resource that a task needs for itself: only one task with the same answer runs at a time. */
  turn(task: T): string | undefined;
  /** Whether the task must run alone: it waits until all others are done. */
  alone(task: T): boolean;
}

/** Runs every task, in order as far as the rules allow. The first error ends it. */
export async function inLanes<T>(
  tasks: readonly T[],
  { lanes, spare = 0, idle, turn, alone }: LaneRules<T>,
  body: (task: T) => Promise<void>,
): Promise<void> {
  const waiting = tasks.filter((task) => !alone(task));
  const taken = new Set<string>();
  let sleepers: (() => void)[] = [];
  const lane = async (most = Infinity) => {
    for (let done = 0; done < most && waiting.length > 0; done++) {
      const next = waiting.findIndex((task) => !taken.has(turn(task) ?? ""));
      if (next < 0) {
        // The remaining tasks wait for the end of a task in another lane.
        await new Promise<void>((resolve) => sleepers.push(resolve));
        done--;
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
  const more: Promise<void>[] = [];
  let running = 0;
  const timer = idle && setInterval(() => {
    if (!idle() || running >= spare || waiting.length === 0) return;
    running++;
    const one = lane(1).finally(() => running--);
    one.catch(() => {}); // It is awaited below.
    more.push(one);
  }, 1000);
  try {
    await Promise.all(Array.from({ length: Math.max(1, lanes) }, () => lane()));
    await Promise.all(more);
  } finally {
    clearInterval(timer);
  }
  for (const task of tasks.filter(alone)) await body(task);
}
