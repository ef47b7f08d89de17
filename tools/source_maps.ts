/**
 * Source maps that follow a text through its edits. They have no text of the sources, and one mark
 * for each line of them that the text comes from: an eighth of the size that the whole maps have.
 *
 * @module
 */

/** A place in a text, and what it comes from. */
interface Mark {
  /** Offset in the text. */
  readonly at: number;
  /** Index of the source; -1 if the text from here on comes from none. */
  readonly source: number;
  /** Line and column there, from 0. */
  readonly line: number;
  readonly column: number;
}

/** A text with its marks, in the order of their offsets. */
export interface MappedText {
  readonly text: string;
  readonly marks: readonly Mark[];
}

/** The fields of a source map that are read here. */
export interface SourceMap {
  readonly version?: number;
  readonly sources: readonly string[];
  readonly mappings: string;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Reads the mappings of a text. */
export function withMappings(text: string, mappings: string): MappedText {
  const marks: Mark[] = [];
  let source = 0, line = 0, column = 0;
  const starts = lineStarts(text);
  for (const [index, segments] of mappings.split(";").entries()) {
    let at = starts[index] ?? text.length;
    for (const segment of segments === "" ? [] : segments.split(",")) {
      const [moved, ...rest] = numbersOf(segment);
      at += moved!;
      if (rest.length === 0) {
        marks.push({ at, source: -1, line: 0, column: 0 });
        continue;
      }
      source += rest[0]!;
      line += rest[1]!;
      column += rest[2]!;
      marks.push({ at, source, line, column });
    }
  }
  return { text, marks };
}

/** Like `text.replaceAll(pattern, replace)`. Marks move with the text that stays. */
export function replaceAll(
  { text, marks }: MappedText,
  pattern: RegExp,
  replace: (...groups: string[]) => string,
): MappedText {
  const moved: Mark[] = [];
  let edited = "", end = 0, next = 0;
  for (const match of text.matchAll(pattern)) {
    edited += text.slice(end, match.index);
    for (; next < marks.length && marks[next]!.at <= match.index; next++) {
      moved.push({
        ...marks[next]!,
        at: marks[next]!.at - end + edited.length - (match.index - end),
      });
    }
    edited += replace(...match);
    end = match.index + match[0].length;
    // What is inside of it belongs to the text behind it.
    for (; next < marks.length && marks[next]!.at < end; next++) {
      moved.push({ ...marks[next]!, at: edited.length });
    }
  }
  for (const mark of marks.slice(next)) moved.push({ ...mark, at: mark.at - end + edited.length });
  return { text: edited + text.slice(end), marks: moved };
}

/** Puts text without marks before and behind. */
export function between(before: string, { text, marks }: MappedText, behind: string): MappedText {
  const moved = marks.map((mark) => ({ ...mark, at: mark.at + before.length }));
  const end = { at: before.length + text.length, source: -1, line: 0, column: 0 };
  return { text: before + text + behind, marks: [...moved, end] };
}

/** The mappings of a text, with all of its marks. */
export function mappingsOf({ text, marks }: MappedText): string {
  const starts = lineStarts(text);
  // One piece for each mark: a string that grows would be copied for each.
  const pieces: string[] = [];
  let row = 0, from = 0, separator = "";
  let last = { source: 0, line: 0, column: 0 };
  for (const mark of marks) {
    for (; row + 1 < starts.length && starts[row + 1]! <= mark.at; row++) {
      pieces.push(";");
      separator = "";
      from = starts[row + 1]!;
    }
    pieces.push(separator, digitsOf(mark.at - from));
    separator = ",";
    from = mark.at;
    if (mark.source < 0) continue;
    const { source, line, column } = last;
    const steps = [mark.source - source, mark.line - line, mark.column - column];
    pieces.push(...steps.map(digitsOf));
    last = mark;
  }
  return pieces.join("");
}

/** Keeps the first of the marks that follow each other and mean the same line. */
export function byLine(
  { text, marks }: MappedText,
  isKept: (source: number) => boolean,
): MappedText {
  const kept: Mark[] = [];
  for (const [index, mark] of marks.entries()) {
    // Of several marks at one place, the last counts.
    if (marks[index + 1]?.at === mark.at) continue;
    const source = isKept(mark.source) ? mark.source : -1;
    const before = kept.at(-1) ?? { source: -1, line: 0 };
    if (before.source === source && (source < 0 || before.line === mark.line)) continue;
    kept.push({ ...mark, source });
  }
  return { text, marks: kept };
}

/** Offsets at which the lines begin. */
function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}

/** Numbers in base 64: five bits a digit, the lowest ones first; the lowest bit of all is the sign. */
function numbersOf(segment: string): number[] {
  const numbers: number[] = [];
  let value = 0, shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return numbers;
}

function digitsOf(number: number): string {
  let left = number < 0 ? -number * 2 + 1 : number * 2;
  let digits = "";
  do {
    const rest = left >> 5;
    digits += DIGITS[(left & 31) | (rest > 0 ? 32 : 0)]!;
    left = rest;
  } while (left > 0);
  return digits;
}
