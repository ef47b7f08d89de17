/** Hop-by-hop header fields, which are not forwarded: RFC 9110, 7.6.1. @module */

/** Hop-by-hop fields of requests, and one that CGI programs take for the name of a proxy. */
export const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Fields that Connection cannot remove: without them, it would be a different message. */
export const KEPT: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding"]);
