/** Chooses the requests that are reported to the program, so that reports cost little. @module */

/** Time after which a response counts as slow, in milliseconds. */
const SLOW_MS = 1000;

const SECOND = 1000;

/** The end of a response. */
interface End {
  readonly status: number;
  readonly durationMs: number;
  readonly state: "running" | "done" | "aborted";
}

/** Lets a number of requests per second pass, and as many failed ones. */
export class Sampler {
  readonly #rate: number;
  #second = -Infinity;
  #passed = 0;
  #failed = 0;

  /** Lets `rate` requests per second pass; `Infinity` for all. */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Whether to report a response with this status; `now` is in milliseconds. */
  takes(status: number, now: number): boolean {
    if (this.#rate === Infinity) return true;
    if (now - this.#second >= SECOND) {
      this.#second = now;
      this.#passed = this.#failed = 0;
    }
    // A flood of missing files must not hide the others, nor cost more than they do.
    return status < 400 ? this.#passed++ < this.#rate : this.#failed++ < this.#rate;
  }

  /** Whether to report a response at its end: always if it was slow or incomplete. */
  takesEnd({ durationMs, state, status }: End, now: number): boolean {
    return state !== "done" || durationMs >= SLOW_MS || this.takes(status, now);
  }
}
