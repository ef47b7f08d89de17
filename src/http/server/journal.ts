/** What a thread tells of its requests: the access log, and the downloads under way. @module */

import type { Connection } from "./connection.ts";
import type { Reply } from "./reply.ts";
import type { RequestHead } from "./request_head.ts";

/** Who is told of every answer. */
export interface Journal {
  /** An answer is about to be sent. */
  answered(
    connection: Connection,
    head: RequestHead,
    reply: Reply,
    bodiless: boolean,
    bytes: number,
  ): void;
  /** Bytes have left. */
  progress(connection: Connection): void;
  /** The connection has ended. */
  closed(connection: Connection): void;
}
