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

/** Most characters; the longest of the three forms has 33. */
const LONGEST = 40;

/**
 * Parses a date in one of the three forms that a recipient must accept. Returns seconds since the
 * epoch, or `NaN` for anything else; `NaN` compares as false with everything.
 *
 * `Date.parse` accepts much that is no HTTP date.
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
    // A date more than 50 years ahead means the last year with these two digits.
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
  // Second 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60) return NaN;
  const date = new Date(0);
  date.setUTCFullYear(year, MONTH_NAMES.indexOf(month), day);
  // Day 31 of a shorter month would become the first of the next month.
  if (date.getUTCDate() !== day) return NaN;
  return date.getTime() / 1000 + hour * 3600 + minute * 60 + second;
}

/** Formats a date in the form that RFC 9110 requires of senders. */
export function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}
