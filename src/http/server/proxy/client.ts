/** The client of a request, as its parts see it. @module */

import type { Redirection } from "../response/accel.ts";

/** The client of a request. */
export interface Client {
  readonly fd: number;
  /** Whether its connection is to be closed after this answer. */
  readonly closing: boolean;
  /** Sets the events of its socket that are waited for. */
  watch(events: number): void;
  /** So many bytes have been sent to it. */
  sent(bytes: number): void;
  /**
   * The answer has been sent, or is to be the file that `redirection` names; `behind` has been received
   * after the request.
   */
  answered(told: Told, keep: boolean, behind: Uint8Array, redirection?: Redirection): void;
  /** The answer has not come to its end. */
  failed(told: Told): void;
}

/** What became of a request. */
export interface Told {
  /** Status; 0 where the client has got none. */
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  /** Why the program has not answered, or not to the end. */
  readonly error?: string | undefined;
}
