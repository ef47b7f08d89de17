/**
 * Orders operations on one file that must not overlap.
 *
 * An unaligned write reads the blocks at its ends, changes them and writes them back. Past the end
 * of the file it writes a whole block and then truncates the file. No other operation may touch
 * those blocks meanwhile.
 *
 * @module
 */

/** Part of the file that an operation uses. */
export interface Span {
  readonly start: number;
  /** First byte after the span. */
  readonly end: number;
  readonly exclusive: boolean;
  /** Operations that wait for this one. */
  readonly followers: (() => void)[];
}

/**
 * Spans in use and in the queue. A new span waits for all earlier ones that it must not overlap.
 */
export class Order {
  readonly #spans = new Set<Span>();
  #exclusive = 0;

  /** Whether an exclusive operation is running or queued. */
  get crowded(): boolean {
    return this.#exclusive > 0;
  }

  /**
   * Enters a span. A span waits only for earlier ones, so there are no deadlocks.
   *
   * @returns The span, and a promise to await before you use it; `undefined` if the span is free.
   */
  enter(start: number, end: number, exclusive: boolean): [Span, Promise<unknown> | undefined] {
    const span: Span = { start, end, exclusive, followers: [] };
    // Fast path: if all operations are reads and aligned writes, there is nothing to compare.
    const turn = exclusive || this.#exclusive > 0 ? this.#turn(span) : undefined;
    this.#spans.add(span);
    if (exclusive) this.#exclusive++;
    return [span, turn];
  }

  #turn(span: Span): Promise<unknown> | undefined {
    const waits: Promise<void>[] = [];
    for (const other of this.#spans) {
      if (!(other.exclusive || span.exclusive)) continue;
      if (other.start >= span.end || other.end <= span.start) continue;
      waits.push(new Promise((resolve) => other.followers.push(resolve)));
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  /** Waits for all operations entered so far. */
  async settled(): Promise<void> {
    const all = Array.from(
      this.#spans,
      ({ followers }) => new Promise<void>((resolve) => followers.push(resolve)),
    );
    await Promise.all(all);
  }

  /** Leaves a span. */
  leave(span: Span): void {
    this.#spans.delete(span);
    if (span.exclusive) this.#exclusive--;
    for (const go of span.followers) go();
  }
}
