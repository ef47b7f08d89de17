/** Moves a long range in pieces, a few at a time. @module */

/** Pieces in flight: the disk works on the next one while this one is copied. */
const DEPTH = 4;

/** How far the pieces got without a gap. */
export interface PiecesDone {
  /** First byte that was not moved. */
  readonly reached: number;
  /** Error at that point, if any. */
  readonly failure: unknown;
}

/**
 * Calls `move` for each piece of `start..end`, in order, several at a time.
 *
 * Stops after the first piece that fails or comes up short, and resolves once no piece is in
 * flight. Never rejects.
 *
 * @param move Moves one piece; resolves to the first byte that it did not move.
 */
export async function inPieces(
  start: number,
  end: number,
  size: number,
  move: (start: number, end: number) => Promise<number>,
): Promise<PiecesDone> {
  const running: Promise<PiecesDone>[] = [];
  let next = start;
  let reached = start;
  let failure: unknown;
  let stopped = false;
  const begin = () => {
    const from = next;
    const to = next = Math.min(from + size, end);
    running.push(
      move(from, to).then(
        (reached) => ({ reached, failure: undefined }),
        (failure) => ({ reached: from, failure }),
      ),
    );
  };
  for (;;) {
    while (!stopped && next < end && running.length < DEPTH) begin();
    const oldest = running.shift();
    if (oldest === undefined) return { reached, failure };
    const expected = Math.min(reached + size, end);
    const done = await oldest;
    if (stopped) continue;
    reached = done.reached;
    failure = done.failure;
    stopped = failure !== undefined || reached < expected;
    // Counts the bytes that the failed piece moved before its error.
    const moved = (failure as { bytesMoved?: number } | undefined)?.bytesMoved;
    if (typeof moved === "number") reached += moved;
  }
}
