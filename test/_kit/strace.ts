/** Parses the output of `strace -f -ttt -o`. @module */

/** One finished system call. */
export interface Call {
  readonly name: string;
  /** Arguments as strace prints them, in one string. */
  readonly args: string;
  /** Return value; -1 for an error. */
  readonly result: number;
  /** Start time, in milliseconds since the epoch. */
  readonly startedMs: number;
}

const LINE = /^(\d+) +(\d+\.\d+) (.*)$/;
const RESUMED = /^<\.\.\. \w+ resumed>/;
const CALL = /^(\w+)\((.*)\) += (-?\d+)/s;

/** Parses a trace; joins calls that another thread interrupted in the log. */
export function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { text: string; startedMs: number }>();
  for (const line of text.split("\n")) {
    const [, thread = "", seconds = "", event = ""] = LINE.exec(line) ?? [];
    const start = event.indexOf(" <unfinished ...>");
    if (start >= 0) {
      unfinished.set(thread, { text: event.slice(0, start), startedMs: Number(seconds) * 1000 });
      continue;
    }
    const begun = RESUMED.test(event) ? unfinished.get(thread) : undefined;
    const whole = (begun?.text ?? "") + event.replace(RESUMED, "");
    const match = CALL.exec(whole);
    if (match === null) continue;
    const [, name = "", args = "", result = ""] = match;
    const startedMs = begun?.startedMs ?? Number(seconds) * 1000;
    calls.push({ name, args, result: Number(result), startedMs });
  }
  return calls;
}
