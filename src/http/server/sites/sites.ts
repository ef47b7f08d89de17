/** The folders of a server, as one thread serves them. @module */

import { Router } from "../../rules/by_path/router.ts";
import type { Rate } from "../control/limits.ts";
import { Field } from "../parser/field_names.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { latin1 } from "../parser/syntax.ts";
import type { Accel, Redirection } from "../response/accel.ts";
import type { KeptFiles } from "../response/kept_files.ts";
import type { Lookups } from "../response/lookups.ts";
import type { Listings } from "../listing/listings.ts";
import type { Reply } from "../response/response.ts";
import type { Responder } from "../response/responder.ts";
import type { SiteConfig } from "./options.ts";

/** One folder. */
export interface Site extends Pick<SiteConfig, "host" | "mount" | "rate"> {
  readonly index: number;
  readonly responder: Responder;
  /** Whether it answers CORS preflight requests. */
  readonly preflights: boolean;
}

/** What the folders share. */
export interface SharedParts {
  readonly kept: KeptFiles;
  readonly lookups: Lookups;
  /** Pages of folders; `null` if no folder is listed. */
  readonly listings: Listings | null;
}

/** All folders of a server. */
export class Sites {
  /** Requests that wait for others to open their files. */
  readonly lookups: Lookups;
  /** Whether responses have a maximum rate, and whether that of some differs. */
  readonly limited: boolean;
  readonly ratesVary: boolean;
  /** Rate of the current response. */
  rate: Rate;
  readonly #parts: SharedParts;
  readonly #first: Site;
  /** `null` for a single folder, which gets all requests. */
  readonly #router: Router<Site> | null;

  constructor(sites: readonly [Site, ...Site[]], parts: SharedParts, limits: Rate) {
    this.#parts = parts;
    this.lookups = parts.lookups;
    const [first] = sites;
    this.#first = first;
    this.rate = first.rate;
    this.#router = sites.length === 1 && first.host === "" ? null : new Router(sites);
    const rates = [limits, ...sites.map(({ rate }) => rate)];
    this.limited = rates.some(({ maxRate }) => maxRate > 0);
    this.ratesVary = rates.some(({ maxRate, maxRateAfter }) =>
      maxRate !== limits.maxRate || maxRateAfter !== limits.maxRateAfter
    );
  }

  /** Answers the request in `head`; see `Responder.answer`. */
  answer(head: RequestHead, now: number): Reply | null {
    if (this.#router === null) return this.#first.responder.answer(head, now);
    return this.#enter(this.#of(head) ?? this.#first).answer(head, now);
  }

  /** Answers with the file that the program has named; see `Responder.redirected`. */
  redirected(head: RequestHead, redirection: Redirection, accel: Accel): Reply | null {
    const site = this.#router?.findBeside(hostOf(head), head.target, redirection.target);
    return this.#enter(site ?? this.#first).redirected(head, redirection, accel);
  }

  /** Whether a request is for a host that is not served. */
  misdirected(head: RequestHead): boolean {
    const router = this.#router;
    return router !== null && router.named && this.#of(head) === undefined;
  }

  /** Whether the folder of a request answers CORS preflight requests. */
  preflights(head: RequestHead): boolean {
    return (this.#of(head) ?? this.#first).preflights;
  }

  /** Index of the folder of a request; -1 for a host that is not served. */
  indexOf(head: RequestHead): number {
    return this.#of(head)?.index ?? -1;
  }

  /** Closes evicted files; call when the sender has the last response. */
  settle(): void {
    this.#parts.kept.settle();
  }

  /** Empties the caches. */
  clear(): void {
    this.#parts.kept.clear();
    this.#parts.listings?.clear();
  }

  /** Evicts unused files. */
  sweep(): void {
    this.#parts.kept.sweep();
  }

  #enter({ rate, responder }: Site): Responder {
    this.rate = rate;
    return responder;
  }

  #of(head: RequestHead): Site | undefined {
    if (this.#router === null) return this.#first;
    return this.#router.find(this.#router.named ? hostOf(head) : undefined, head.target);
  }
}

function hostOf(head: RequestHead): string | undefined {
  const place = (head.known & Field.HOST) === 0 ? undefined : head.place(Field.HOST);
  return place && latin1(head.bytes, place[0], place[1]);
}
