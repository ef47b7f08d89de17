/** Sizes and times as people read them. @module */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes in powers of 1024, with three digits. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10);
  const value = bytes / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[power]}`;
}

/** Date and minute in UTC; the page shows them in the reader's own time where it can. */
export function formatTime(ms: number): string {
  const date = new Date(ms);
  // A file can have a time that no calendar has.
  if (Number.isNaN(date.getTime())) return "";
  return date.toISOString().slice(0, 16).replace("T", " ");
}
