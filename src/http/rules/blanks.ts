/** The white space around values in header fields. @module */

/**
 * Removes spaces and tabs from both ends: the optional white space of RFC 9110, 5.6.3.
 *
 * `trim()` would also remove 0xA0 and other characters that belong to the value. A regular
 * expression takes quadratic time for long runs of spaces.
 */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
