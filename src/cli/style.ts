/** Colours for terminals. @module */

import process from "node:process";

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
  /** Whatever the theme: QR codes are light on dark otherwise. */
  whiteOnBlack: ["38;5;231;48;5;16", "39;49"],
} as const;

/** Name of a style. */
export type StyleName = keyof typeof CODES;

/** Applies a style to text, or returns the text unchanged. */
export type Paint = (style: StyleName, text: string) => string;

/**
 * Returns the painter for an output. It uses colours on a terminal, unless `NO_COLOR` is set
 * (https://no-color.org). `FORCE_COLOR` uses them everywhere.
 */
export function painter(output: { isTTY?: boolean } = process.stdout): Paint {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  const forced = FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0";
  const refused = (NO_COLOR ?? "") !== "" || TERM === "dumb";
  if (refused || !(output.isTTY || forced)) return (_, text) => text;
  return (style, text) => `\x1b[${CODES[style][0]}m${text}\x1b[${CODES[style][1]}m`;
}
