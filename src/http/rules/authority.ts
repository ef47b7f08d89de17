/** Host and port, in a Host field or in the absolute form of a target (RFC 9110, 7.2). @module */

/**
 * An IPv6 address in brackets, or a name or IPv4 address; then a port.
 *
 * RFC 3986, 3.2.2 allows more in a name, such as `;`, but `url.parse()` of Node.js, and with it
 * Express and Koa, ends the host there and begins the path. A path must begin in the same place for
 * everybody.
 */
const AUTHORITY = /^(?:\[[0-9a-f:.]+\]|[\w\-.]+)(?::\d*)?$/i;

/** More is no name: 255 bytes of it (RFC 1035, 2.3.4), and a port. */
const MOST = 1024;

/**
 * Whether this is a host with an optional port. User information is refused: RFC 9110, 4.2.4 calls
 * it an error in a target.
 */
export function isAuthority(text: string): boolean {
  return text.length <= MOST && AUTHORITY.test(text);
}
