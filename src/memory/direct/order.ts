/**
 * Which operations on one file must not overlap.
 *
 * A write that is not aligned reads the blocks at its ends, changes them and writes them back, and past
 * the end of the file it even writes more than is wanted and cuts it off again. Meanwhile nobody else
 * may be in those blocks.
 *
 * @module
 */

/** A part of the file that an operation uses. */
export interface Span {
  readonly start: number;
  /** First byte behind it. */
  readonly end: number;
  readonly exclusive: boolean;
  /** Who waits for the end of this operation. */
  readonly followers: (() => void)[];
}

/** The spans in use and in line; whoever comes later waits for all that it must not overlap. */
export class Order {
  readonly #spans = new Set<Span>();
  #exclusive = 0;

  /** Whether an operation that must be alone in its span is there, or in line. */
  get crowded(): boolean {
    return this.#exclusive > 0;
  }

  /**
   * Enters a span. What is waited for was there before, so nobody waits for one that waits for it.
   *
   * @returns The span, and what to await before using it; `undefined` when nothing is in the way.
   */
  enter(start: number, end: number, exclusive: boolean): [Span, Promise<unknown> | undefined] {
    const span: Span = { start, end, exclusive, followers: [] };
    // The common case, reads and aligned writes only, looks at nobody.
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

  /** Waits for all that is there now. */
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
