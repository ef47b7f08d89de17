/** The answer to a client that speaks HTTP to the port of HTTPS. @module */

import { latin1Bytes } from "../parser/syntax.ts";

const BODY = "This port speaks HTTPS: the request was sent without TLS\n";

/** A whole response, in plain text. */
export const PLAIN_HTTP: Uint8Array = latin1Bytes(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
    `Content-Length: ${BODY.length}\r\nConnection: close\r\n\r\n${BODY}`,
);
