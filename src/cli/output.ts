/** Prints to standard output, wraps text, and handles a closed output. @module */

import process from "node:process";

/** 128 + SIGPIPE, as shells report it. The runtimes themselves ignore that signal. */
const CLOSED = 141;

const lost = new AbortController();

/** Aborted when standard output accepts no more: its reader has closed it, or the disk is full. */
export const outputLost: AbortSignal = lost.signal;

/** Prints a line. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** Prints text without a line end. */
export function write(text: string): void {
  if (outputLost.aborted) return;
  try {
    process.stdout.write(text);
  } catch (error) {
    // Deno throws an error that the others emit as an event.
    lose(error as Error);
  }
}

// deno-lint-ignore no-control-regex -- a client or the name of a file must not move the cursor
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

/** Replaces the control characters of a name, which must not reach the terminal. */
export function shown(name: string): string {
  return name.replace(CONTROL, "?");
}

/** The same for a text of several lines. */
export function shownLines(text: string): string {
  return text.split("\n").map(shown).join("\n");
}

/** Returns the columns of the terminal; `Infinity` if standard output is none. */
export function windowWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
}

/**
 * Breaks text between words into lines of at most `width` columns, if words are short enough.
 * `indent` precedes every line but the first.
 */
export function wrap(text: string, width: number, indent: string = ""): string[] {
  const lines: string[] = [];
  const [first = "", ...words] = text.split(" ");
  let line = first;
  for (const word of words) {
    const longer = `${line} ${word}`;
    if (columns(longer) <= width || line.trim() === "") line = longer;
    else if (word !== "") {
      lines.push(line.trimEnd());
      line = indent + word;
    }
  }
  return [...lines, line];
}

/** Counts the columns of a text, without colour codes. */
function columns(text: string): number {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[\d+m/g, "").length;
}

function lose(error: Error & { code?: string }): void {
  if (outputLost.aborted) return;
  lost.abort();
  // A reader such as head(1) has seen enough and closed the pipe. Anything else is a failure.
  process.exitCode = error.code === "EPIPE" ? CLOSED : 1;
  if (error.code === "EPIPE") return;
  const why = error.code === "ENOSPC" ? "there is no space left" : error.message;
  process.stderr.write(`sluice: Cannot print: ${why}\n`);
}

process.stdout.on("error", lose);
// An error about standard error cannot be reported.
process.stderr.on("error", () => {});
