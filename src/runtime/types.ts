/** What the code that moves bytes needs to know of a connection that the runtime owns. @module */

/**
 * A connection that belongs to the runtime, and that we may write to behind its back: only while
 * its own queue is empty, and never after it is closed.
 */
export interface RuntimeConnection {
  /**
   * The descriptor at this moment, or -1 once the runtime has closed it.
   *
   * Ask again after every wait: by then the number may belong to another connection.
   */
  fd(): number;

  /** Whether the runtime still holds bytes that come before ours. */
  queued(): boolean;

  /**
   * Passes bytes to the runtime's own write, which waits for the socket where it must.
   *
   * `done` is called, never within the call itself, once the kernel has taken them, or with the
   * error that ended the connection. A connection without a usable write has `null` here, and is waited
   * for by its descriptor.
   */
  readonly write: ((bytes: Uint8Array, done: (error?: Error | null) => void) => void) | null;

  /** Whether an idle timer of the runtime watches this connection at the moment. */
  timed(): boolean;

  /** Tells that timer that bytes have moved: it does not see ours. */
  touch(): void;

  /** Cuts the connection, because what was promised on it cannot be delivered. */
  destroy(): void;

  /** Gives back what the connection holds. The connection itself stays with the runtime. */
  release(): void;
}
