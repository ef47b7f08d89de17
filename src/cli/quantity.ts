/** Formats numbers with units. @module */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Formats bytes in decimal units with up to three digits, such as `12.3 MB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // A larger value would round to four digits.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : number(value)} ${UNITS[unit]}`;
}

/** Formats a number with three significant digits. */
export function number(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

/** Formats a waiting time: `8 s`, `3:05`, `1:02:03`. */
export function seconds(value: number): string {
  const all = Math.round(value);
  if (all < 60) return `${all} s`;
  const two = (part: number) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor(all / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

/** Formats a count with its noun, whose plural takes an "s": `"1 request"`, `"2 requests"`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
