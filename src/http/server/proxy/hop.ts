/** Header fields of a single connection, which are not forwarded: RFC 9110, 7.6.1. @module */

/** Hop-by-hop request fields, and one that CGI programs take for the name of a proxy. */
export const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Fields that Connection cannot remove: without them, the message would mean something else. */
export const KEPT: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding"]);
