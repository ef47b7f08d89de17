/** The interface to connections that the runtime owns. @module */

/**
 * A connection that the runtime owns. sluice may write to its descriptor only while the runtime's
 * own queue is empty, and never after it is closed.
 */
export interface RuntimeConnection {
  /**
   * The current descriptor, or -1 once the runtime has closed it.
   *
   * Call this again after every wait: the number may belong to another connection by then.
   */
  fd(): number;

  /** Whether the runtime still holds bytes that must leave before ours. */
  queued(): boolean;

  /**
   * Writes through the runtime, which waits for the socket if necessary.
   *
   * `done` is called, never within the call itself, once the kernel has taken the bytes, or with
   * the error that ended the connection. `null` for a connection without a usable write; then wait
   * on its descriptor.
   */
  readonly write: ((bytes: Uint8Array, done: (error?: Error | null) => void) => void) | null;

  /**
   * Whether to wait on the descriptor all the same, as long as nothing is queued and a thread can be
   * started for that, because the runtime's own write costs more.
   */
  readonly polled?: boolean | undefined;

  /** Calls `listener` once the connection has closed during such a wait; replaces an earlier listener. */
  whenClosed?(listener: () => void): void;

  /** Whether the kernel encrypts what is written. */
  readonly kernelTls?: boolean | undefined;

  /**
   * Calls `use` with the descriptor of the listener that accepted the connection, if the runtime
   * shows it. The descriptor is valid only during that call, and not verified.
   */
  listener(use: (fd: number) => void): void;

  /** Whether an idle timer of the runtime currently watches this connection. */
  timed(): boolean;

  /** Resets that timer, because it does not see the bytes that sluice writes. */
  touch(): void;

  /** Closes the connection, because it cannot deliver the promised bytes. */
  destroy(): void;

  /** Frees the resources of this object. The runtime keeps the connection. */
  release(): void;
}
