/** Dates in headers: RFC 9110, section 5.6.7. @module */

import { trimBlanks } from "../blanks.ts";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
const MONTH_NAMES = MONTHS.split("|");
const TIME = "(\\d\\d):(\\d\\d):(\\d\\d)";

const IMF_FIXDATE = new RegExp(
  `^(?:${DAYS.join("|")}), (\\d\\d) (${MONTHS}) (\\d{4}) ${TIME} GMT$`,
);
const RFC_850 = new RegExp(
  `^(?:Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day, (\\d\\d)-(${MONTHS})-(\\d\\d) ${TIME} GMT$`,
);
const ASCTIME = new RegExp(`^(?:${DAYS.join("|")}) (${MONTHS}) ([ \\d]\\d) ${TIME} (\\d{4})$`);

/** Longest of the three forms is 33 characters. */
const LONGEST = 40;

/**
 * Seconds since the epoch of a date in one of the three forms that a recipient has to accept, or
 * `NaN`, which compares as false with everything, for what is not a date.
 *
 * Not by `Date.parse`, which takes much that is no HTTP date.
 */
export function parseDate(text: string | null | undefined, nowMs: number = Date.now()): number {
  if (text === null || text === undefined || text.length > LONGEST) return NaN;
  const value = trimBlanks(text);
  let match = IMF_FIXDATE.exec(value);
  if (match !== null) {
    const [, day, month, year, ...time] = match;
    return seconds(Number(year), month!, Number(day), time);
  }
  match = RFC_850.exec(value);
  if (match !== null) {
    const [, day, month, digits, ...time] = match;
    // What lies more than 50 years ahead is the last year with these digits.
    const thisYear = new Date(nowMs).getUTCFullYear();
    const year = thisYear - thisYear % 100 + Number(digits);
    return seconds(year > thisYear + 50 ? year - 100 : year, month!, Number(day), time);
  }
  match = ASCTIME.exec(value);
  if (match === null) return NaN;
  const [, month, day, hour, minute, second, year] = match;
  return seconds(Number(year), month!, Number(day), [hour!, minute!, second!]);
}

function seconds(year: number, month: string, day: number, time: readonly string[]): number {
  const [hour, minute, second] = time.map(Number) as [number, number, number];
  // A leap second is second 60.
  if (hour > 23 || minute > 59 || second > 60) return NaN;
  const date = new Date(0);
  date.setUTCFullYear(year, MONTH_NAMES.indexOf(month), day);
  // The 31st of a shorter month would become the first of the next.
  if (date.getUTCDate() !== day) return NaN;
  return date.getTime() / 1000 + hour * 3600 + minute * 60 + second;
}

/** Writes a date as RFC 9110 has it sent. */
export function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}
