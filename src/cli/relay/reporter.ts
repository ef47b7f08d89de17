/** Reports the events of `sluice relay`: a live line, a log, or JSON. @module */

import process from "node:process";
import type { Relay } from "../../mod.ts";
import { write } from "../output.ts";
import { counted } from "../quantity.ts";
import { Rates, statusLine, summaryLine } from "./lines.ts";

/** Interval of updates of the live line and of log lines, in milliseconds. */
const LIVE_MS = 500;
const LOG_MS = 10_000;

const CLEAR_LINE = "\r\x1b[K";

/** Reports on a relay until it stops. */
export interface Reporter {
  /** The relay listens. */
  listening(address: string, upstream: string): void;
  /** The relay waits for open connections to end. */
  draining(graceMs: number): void;
  /** Prints the summary. */
  stop(): void;
}

/** Creates the reporter: JSON if requested, a live line on a terminal, otherwise a log. */
export function createReporter(relay: Relay, options: { json: boolean }): Reporter {
  if (options.json) return new JsonReporter(relay);
  return new TextReporter(relay, process.stdout.isTTY === true);
}

class JsonReporter implements Reporter {
  readonly #relay: Relay;
  #timer: NodeJS.Timeout | undefined;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  listening(address: string, upstream: string): void {
    this.#say({ event: "listening", address, upstream });
    const tell = () => this.#say({ event: "stats", ...this.#relay.stats() });
    this.#timer = setInterval(tell, LOG_MS).unref();
  }

  draining(graceMs: number): void {
    this.#say({ event: "draining", graceMs, active: this.#relay.stats().active });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#say({ event: "closed", ...this.#relay.stats() });
  }

  #say(event: object): void {
    write(`${JSON.stringify(event)}\n`);
  }
}

class TextReporter implements Reporter {
  readonly #relay: Relay;
  readonly #live: boolean;
  readonly #rates = new Rates(performance.now());
  #timer: NodeJS.Timeout | undefined;
  #last = "";

  constructor(relay: Relay, live: boolean) {
    this.#relay = relay;
    this.#live = live;
  }

  listening(address: string, upstream: string): void {
    this.#say(`Listening on ${address}, relaying to ${upstream}`);
    const interval = this.#live ? LIVE_MS : LOG_MS;
    this.#timer = setInterval(() => this.#update(), interval).unref();
  }

  draining(graceMs: number): void {
    const { active } = this.#relay.stats();
    if (active === 0) return;
    this.#say(
      `Waiting up to ${graceMs / 1000} s for ${
        counted(active, "connection")
      }; press Ctrl-C again to end now`,
    );
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#say(`Closed after ${summaryLine(this.#relay.stats())}`);
  }

  #update(): void {
    const stats = this.#relay.stats();
    const line = statusLine(stats, this.#rates.take(stats, performance.now()));
    if (this.#live) {
      // A wrapped line could not be overwritten.
      write(CLEAR_LINE + line.slice(0, (process.stdout.columns || 80) - 1));
    } else if (line !== this.#last) {
      this.#say(line);
    }
    this.#last = line;
  }

  #say(line: string): void {
    write(`${this.#live ? CLEAR_LINE : ""}${line}\n`);
  }
}
