/** IP addresses as text and as bytes. @module */

const IPV4_PART = /^(?:0|[1-9]\d{0,2})$/;
const IPV6_PART = /^[0-9a-f]{1,4}$/i;

/** Parses an IPv4 address into four bytes; `undefined` for other text. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = String(text).split(".");
  // Reject leading zeroes: some programs read them as octal.
  if (parts.length !== 4 || !parts.every((p) => IPV4_PART.test(p) && Number(p) < 256)) {
    return undefined;
  }
  return Uint8Array.from(parts, Number);
}

/**
 * Parses an IPv6 address into sixteen bytes; `undefined` for other text, and for a zone (`%eth0`).
 */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = String(text).split("::").map(groups);
  const [head, tail] = halves;
  if (head === undefined || halves.length > 2) return undefined;
  if (halves.length === 1) return head.length === 8 ? pack(head) : undefined;
  // An IPv4 tail may only stand at the very end.
  if (
    tail === undefined || head.length + tail.length > 7 ||
    String(text).split("::")[0]!.includes(".")
  ) {
    return undefined;
  }
  return pack([...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]);
}

/** Formats four bytes, such as `"127.0.0.1"`. */
export function formatIpv4(bytes: Uint8Array): string {
  return bytes.join(".");
}

/**
 * Formats sixteen bytes in the shortest form (RFC 5952); a mapped IPv4 address ends in dotted
 * digits.
 */
export function formatIpv6(bytes: Uint8Array): string {
  const parts = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! * 256 + bytes[2 * i + 1]!);
  if (parts.slice(0, 5).every((part) => part === 0) && parts[5] === 0xffff) {
    return `::ffff:${formatIpv4(bytes.subarray(12))}`;
  }
  const { start, length } = longestZeroes(parts);
  const hex = parts.map((part) => part.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** Parses the 16-bit numbers of a part without `::`. */
function groups(text: string): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const last = parts.at(-1)!;
  const tail = last.includes(".") ? parseIpv4(last) : undefined;
  if (tail !== undefined) parts.pop();
  if (!parts.every((part) => IPV6_PART.test(part))) return undefined;
  const numbers = parts.map((part) => parseInt(part, 16));
  if (tail !== undefined) numbers.push(tail[0]! * 256 + tail[1]!, tail[2]! * 256 + tail[3]!);
  return numbers;
}

function pack(parts: number[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [part >> 8, part & 255]));
}

/** Finds the first of the longest runs of zeroes. */
function longestZeroes(parts: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < parts.length; start++) {
    let end = start;
    while (parts[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  return best;
}
