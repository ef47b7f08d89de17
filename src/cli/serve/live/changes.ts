/** Collects changes, and says what a page has missed. @module */

import { randomBytes } from "node:crypto";

/** What a page has to do: replace style sheets, or load again. */
export interface Change {
  /** ID of the newest change. */
  readonly id: string;
  /** Paths of style sheets, from `/` on; `null` if the page must load again. */
  readonly css: readonly string[] | null;
}

interface Noted {
  readonly version: number;
  readonly at: number;
  readonly css: readonly string[] | null;
}

/** Time without a change after which changes are reported together, in milliseconds. */
const QUIET_MS = 40;
/** Longest time until a change is reported, in milliseconds. */
const LONGEST_MS = 400;
/** Changes to remember; pages that have missed more load again. */
const MOST = 100;

/** The changes of one run of the server. */
export class Changes {
  /** Tells this run from others: a page that has seen another one loads again. */
  readonly #run = randomBytes(6).toString("hex");
  readonly #noted: Noted[] = [];
  readonly #report: (change: Change) => void | Promise<void>;
  readonly #before: () => Promise<unknown>;
  #paths = new Set<string>();
  #version = 0;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Awaits `before` and calls `report` when files have changed and the changes have ended. */
  constructor(
    { before, report }: { before(): Promise<unknown>; report(change: Change): void },
  ) {
    this.#before = before;
    this.#report = report;
  }

  /** ID of the newest change. */
  get id(): string {
    return `${this.#run}-${this.#version}`;
  }

  /** Notes that a path below the root has changed. */
  note(path: string): void {
    const now = performance.now();
    if (this.#paths.size === 0) this.#since = now;
    this.#paths.add(path);
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(QUIET_MS, this.#since + LONGEST_MS - now));
    this.#timer = setTimeout(() => void this.#flush(), wait);
  }

  /** Stops. */
  close(): void {
    clearTimeout(this.#timer);
  }

  async #flush(): Promise<void> {
    const paths = [...this.#paths];
    this.#paths = new Set();
    const at = performance.now();
    await this.#before().catch(() => {});
    const css = paths.every((path) => /\.css$/i.test(path))
      ? paths.map((path) => `/${path}`)
      : null;
    this.#noted.push({ version: ++this.#version, at, css });
    if (this.#noted.length > MOST) this.#noted.shift();
    await this.#report({ id: this.id, css });
  }

  /** What a page has missed that knows `id`; `undefined` for nothing. */
  since(id: string): Change | undefined {
    const [run, version] = id.split("-");
    if (run !== this.#run) return { id: this.id, css: null };
    return this.#merged(Number(version));
  }

  /** What a page has missed that was requested `ageMs` ago. */
  sinceAge(ageMs: number): Change | undefined {
    const began = performance.now() - ageMs;
    return this.#merged((this.#noted.find(({ at }) => at >= began)?.version ?? Infinity) - 1);
  }

  #merged(version: number): Change | undefined {
    const missed = this.#noted.filter((each) => each.version > version);
    if (missed.length === 0) return undefined;
    const all = missed.flatMap(({ css }) => css ?? []);
    const complete = missed[0]!.version <= version + 1 && missed.every(({ css }) => css !== null);
    return { id: this.id, css: complete ? [...new Set(all)] : null };
  }
}
