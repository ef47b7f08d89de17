/** What is printed, for windows of any width, and what happens when nobody can take it. @module */

import process from "node:process";

/** As the shell calls a process that SIGPIPE has ended; these runtimes ignore that signal. */
const CLOSED = 141;

const lost = new AbortController();

/** Aborted once standard output takes no more: its reader is gone, or the disk is full. */
export const outputLost: AbortSignal = lost.signal;

/** Prints a text and ends the line. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** Prints a text as it is. */
export function write(text: string): void {
  if (outputLost.aborted) return;
  try {
    process.stdout.write(text);
  } catch (error) {
    // Deno throws what the others tell as an event.
    lose(error as Error);
  }
}

/** Columns of the window; `Infinity` where standard output is none. */
export function windowWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
}

/**
 * Breaks a text between words, so that no line has more than `width` columns where that is possible;
 * `indent` stands before every line but the first.
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

/** Columns that a text takes, colours not counted. */
function columns(text: string): number {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[\d+m/g, "").length;
}

function lose(error: Error & { code?: string }): void {
  if (outputLost.aborted) return;
  lost.abort();
  // Who has closed it, as head(1) does, has seen enough; all else is a failure.
  process.exitCode = error.code === "EPIPE" ? CLOSED : 1;
  if (error.code === "EPIPE") return;
  const why = error.code === "ENOSPC" ? "there is no space left" : error.message;
  process.stderr.write(`sluice: Cannot print: ${why}\n`);
}

process.stdout.on("error", lose);
// What cannot be said cannot be said.
process.stderr.on("error", () => {});
