/** Which codings clients accept, as small numbers: part of what a kept answer is found by. @module */

import { acceptedCodings } from "../../rules/fields/codings.ts";
import type { Coding } from "../../rules/types.ts";
import { Field } from "../parser/field_names.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { latin1 } from "../parser/syntax.ts";

/** Most values of Accept-Encoding that are remembered; browsers send a handful. */
const MOST = 256;

/**
 * Numbers the lists of codings that clients accept.
 *
 * The number stands for what the look-up gets, not for the bytes of the header. So two clients that
 * accept the same share one answer, and nothing that a client writes into the header can be taken for
 * a part of the path.
 */
export class Variants {
  readonly #offered: readonly Coding[];
  readonly #numbers = new Map<string, number>([["", 0]]);
  readonly #known = new Map<string, number>();

  /** Numbers lists of the codings that the server offers. */
  constructor(offered: readonly Coding[]) {
    this.#offered = offered;
  }

  /** Returns the number of the codings that the client accepts; 0 where it accepts none. */
  of(head: RequestHead): number {
    if (this.#offered.length === 0 || (head.known & Field.ACCEPT_ENCODING) === 0) return 0;
    // Several fields make one list: the value of the first one alone would stand for all of them.
    if ((head.twice & Field.ACCEPT_ENCODING) !== 0) {
      return this.#number(head.header("accept-encoding")!);
    }
    const [start, end] = head.place(Field.ACCEPT_ENCODING)!;
    const value = latin1(head.bytes, start, end);
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const number = this.#number(value);
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(value, number);
    return number;
  }

  /** There are at most 16 lists of three codings. */
  #number(value: string): number {
    const codings = acceptedCodings(value, this.#offered).join();
    let number = this.#numbers.get(codings);
    if (number === undefined) this.#numbers.set(codings, number = this.#numbers.size);
    return number;
  }
}
