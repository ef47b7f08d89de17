/** The client, as a proxied request sees it. @module */

import type { Redirection } from "../response/accel.ts";

/** The client of a proxied request. */
export interface Client {
  readonly fd: number;
  /** Whether its connection closes after this response. */
  readonly closing: boolean;
  /** Sets the events of its socket to wait for. */
  watch(events: number): void;
  /** Called after each send with the number of bytes. */
  sent(bytes: number): void;
  /**
   * Called when the response has been sent, or when the file that `redirection` names should be
   * sent. `behind` was received after the request.
   */
  answered(told: Told, keep: boolean, behind: Uint8Array, redirection?: Redirection): void;
  /** Called when the response ended early. */
  failed(told: Told): void;
}

/** Result of a request. */
export interface Told {
  /** Status; 0 if the client got none. */
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
}
