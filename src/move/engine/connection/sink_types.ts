/** What takes bytes in order. @module */

/** A target that takes bytes in order and reports when it can take more. */
export interface Sink {
  /**
   * Takes all of `bytes`; settles once more may follow, and rejects when the connection is closed.
   * The caller must not reuse the memory.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Settles once nothing waits in the target; missing if {@linkcode write} waits for that. */
  flush?(): Promise<void>;
  /** Whether it takes no more; missing if only a write can tell. */
  closed?(): boolean;
  /** Cuts the connection: see `RuntimeConnection.destroy`. */
  destroy(): void;
  /** Gives the target back to its owner. */
  release?(): void;
}
