/** Host and port, in a Host field or in the absolute form of a target (RFC 9110, 7.2). @module */

/**
 * An IPv6 address in brackets, a name or an IPv4 address; then an optional port.
 *
 * RFC 3986, 3.2.2 allows more characters in a name, such as `;`. But `url.parse()` of Node.js ends
 * the host there and begins the path, and so do Express and Koa. All readers of a target must agree
 * on where its path begins.
 */
const AUTHORITY = /^(?:\[[0-9a-f:.]+\]|[\w\-.]+)(?::\d*)?$/i;

/** Most characters of a host and port: a name has at most 255 bytes (RFC 1035, 2.3.4). */
const MOST = 1024;

/**
 * Whether a text is a host with an optional port. Rejects user information, which RFC 9110, 4.2.4
 * calls an error in a target.
 */
export function isAuthority(text: string): boolean {
  return text.length <= MOST && AUTHORITY.test(text);
}

/** Characters of a name in RFC 3986, 3.2.2, but for commas, which would make two hosts of one field. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[\w\-.~!$&'()*+;=]*)(?::\d*)?$/i;

/** Whether a text may be the value of a `Host` field, which may be empty. */
export function isHostField(text: string): boolean {
  return HOST.test(text);
}
