/** Header fields that concern one connection alone, and are not passed on: RFC 9110, 7.6.1. @module */

/** Those of requests, and one that CGI programs take for the name of a proxy. */
export const OF_THIS_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** What nobody can have removed by naming it in Connection: without them it is another message. */
export const KEPT: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding"]);
