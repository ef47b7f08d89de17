/** Formats sizes and times for readers. @module */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Formats bytes in powers of 1024, with three digits. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10);
  const value = bytes / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[power]}`;
}

/** Formats date and minute in UTC. The page converts them to local time if scripts run. */
export function formatTime(ms: number): string {
  const date = new Date(ms);
  // File times can be outside the calendar.
  if (Number.isNaN(date.getTime())) return "";
  return date.toISOString().slice(0, 16).replace("T", " ");
}

/** Characters that are invisible, break a line, or reorder the text around them. */
// deno-lint-ignore no-control-regex -- they are what this is about
const DECEPTIVE = /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * Makes deceptive characters visible: a name that ends in "gpj.exe", written from right to left, would
 * look like an image.
 */
export function printable(name: string): string {
  return name.toWellFormed().replace(DECEPTIVE, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}
