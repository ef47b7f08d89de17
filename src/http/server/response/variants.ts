/** Numbers the sets of codings that clients accept, as part of the cache key. @module */

import { acceptedCodings } from "../../rules/fields/codings.ts";
import type { Coding } from "../../rules/types.ts";
import { Field } from "../parser/field_names.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { latin1 } from "../parser/syntax.ts";
import { equal } from "./cache.ts";

/** Maximum number of Accept-Encoding values remembered; browsers send a handful. */
const MOST = 256;

/** Three codings give at most 16 ordered subsets. */
const SUBSETS = 16;

/**
 * Numbers the sets of codings that clients accept.
 *
 * The number stands for the set of codings, not for the bytes of the header. So clients that accept
 * the same codings share one response, and no header value can be mistaken for a part of the path.
 */
export class Variants {
  readonly #offered: readonly Coding[];
  readonly #numbers: Map<string, number>;
  readonly #known = new Map<string, number>();

  readonly #first: number;
  /** The last value, and its number: most requests in a row have the same. */
  #last: Uint8Array = new Uint8Array(0);
  #lastNumber: number;

  /**
   * Considers only the codings that the server offers. The numbers of two folders with different
   * indexes differ.
   */
  constructor(offered: readonly Coding[], index: number = 0) {
    this.#offered = offered;
    this.#first = index * SUBSETS;
    this.#numbers = new Map([["", this.#first]]);
    this.#lastNumber = this.#number("");
  }

  /** Number of the codings that the client accepts. */
  of(head: RequestHead): number {
    if (this.#offered.length === 0 || (head.known & Field.ACCEPT_ENCODING) === 0) {
      return this.#first;
    }
    // Several fields form one list, so the first value alone is not enough.
    if ((head.twice & Field.ACCEPT_ENCODING) !== 0) {
      return this.#number(head.header("accept-encoding")!);
    }
    const [start, end] = head.place(Field.ACCEPT_ENCODING)!;
    if (equal(head.bytes, start, end, this.#last)) return this.#lastNumber;
    this.#last = head.bytes.slice(start, end);
    return this.#lastNumber = this.#find(latin1(head.bytes, start, end));
  }

  #find(value: string): number {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const number = this.#number(value);
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(value, number);
    return number;
  }

  #number(value: string): number {
    const codings = acceptedCodings(value, this.#offered).join();
    let number = this.#numbers.get(codings);
    if (number === undefined) {
      this.#numbers.set(codings, number = this.#first + this.#numbers.size);
    }
    return number;
  }
}
