/** Requests whose files another machine or process has to open first. @module */

import { EMFILE, ENFILE, ETIMEDOUT } from "../../../errno.ts";
import type { Found } from "../../files/look_up.ts";
import type { OpenFile } from "../../files/open_root.ts";
import { planMessage } from "../../rules/messages.ts";
import type { Plan } from "../../rules/types.ts";
import type { Archives, WantedArchive } from "../archive/archives.ts";
import type { Listings, WantedPage } from "../listing/listings.ts";
import type { RemoteFiles } from "../remote/remote_files.ts";
import { closeFound, type SuspendedSearch } from "./finder.ts";
import { Reply } from "./response.ts";
import type { AnswerWaiter } from "./waiter.ts";

const GET = { method: "GET", header: () => undefined };

/** The answer to a request that has waited. */
type Granted = Found | Reply;

/** A page that has to be made. */
interface PendingPage {
  readonly kind: "page";
  readonly folder: OpenFile;
  readonly wanted: WantedPage;
}

/** An archive of a folder that has to be begun. */
interface PendingArchive {
  readonly kind: "archive";
  readonly wanted: WantedArchive;
}

/** The requests of one thread that wait, and what the one gets that is answered at the moment. */
export class Lookups {
  readonly #files: RemoteFiles;
  readonly #listings: Listings | null;
  readonly #archives: Archives | null;
  readonly #exhausted: () => void;
  readonly #waiting = new Map<AnswerWaiter, SuspendedSearch>();
  /** The page or the file that the current request needs. */
  #wanted: PendingArchive | PendingPage | SuspendedSearch | undefined;
  #granted: Granted | undefined;

  /** `exhausted` is called when no descriptor is left to open a file. */
  constructor(
    { archives, listings, remote }: {
      readonly archives: Archives | null;
      readonly listings: Listings | null;
      readonly remote: RemoteFiles;
    },
    exhausted: () => void,
  ) {
    this.#files = remote;
    this.#archives = archives;
    this.#listings = listings;
    this.#exhausted = exhausted;
  }

  /** Notes what the request at hand needs; false where too many wait for that already. */
  want(wanted: PendingArchive | PendingPage | SuspendedSearch): boolean {
    if (wanted.kind === "remote" && !this.#files.accepts(wanted.mount.key)) {
      cancel(wanted);
      return false;
    }
    this.#wanted = wanted;
    return true;
  }

  /** Has it done; `waiter` asks again then. */
  wait(waiter: AnswerWaiter): void {
    const wanted = this.#wanted!;
    this.#wanted = undefined;
    if (wanted.kind === "remote") this.#ask(wanted, waiter);
    else if (wanted.kind === "archive") this.#archives!.ask(wanted.wanted, waiter);
    else this.#listings!.ask(wanted.folder, wanted.wanted, waiter);
  }

  /** The request does not wait: it will be read again. */
  forgetWanted(): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted?.kind === "remote") cancel(wanted);
    else if (wanted?.kind === "page") wanted.folder.close();
  }

  /** Takes the answer that the current request has waited for; a second call finds nothing. */
  take(): Granted | undefined {
    const granted = this.#granted;
    this.#granted = undefined;
    return granted;
  }

  /** Answers a request that has waited. */
  grant(granted: Granted, waiter: AnswerWaiter): void {
    this.#granted = granted;
    waiter.onAnswer();
    const left = this.take();
    if (left instanceof Reply) left.source?.close();
    else if (left !== undefined) closeFound(left);
  }

  /** A request no longer waits; its file is closed once found. */
  forget(waiter: AnswerWaiter): void {
    this.#waiting.delete(waiter);
    this.#listings?.forget(waiter);
    this.#archives?.forget(waiter);
  }

  /** Answers a request that has waited for too long with 503. */
  expire(waiter: AnswerWaiter): void {
    this.forget(waiter);
    this.#refuse(waiter);
  }

  #ask(search: SuspendedSearch, waiter: AnswerWaiter): void {
    this.#waiting.set(waiter, search);
    this.#files.open(search.mount.key, search.site, search.path, (opened) => {
      this.#opened(search, waiter, opened);
    });
  }

  #opened(search: SuspendedSearch, waiter: AnswerWaiter, opened: OpenFile | number): void {
    if (this.#waiting.get(waiter) !== search) {
      if (typeof opened !== "number") opened.close();
      return cancel(search);
    }
    if (opened === EMFILE || opened === ENFILE) this.#exhausted();
    const next = opened === ETIMEDOUT ? undefined : search.resume(opened);
    if (next?.kind === "remote" && this.#files.accepts(next.mount.key)) {
      return this.#ask(next, waiter);
    }
    this.#waiting.delete(waiter);
    if (next !== undefined && next.kind !== "remote") return this.grant(next, waiter);
    cancel(next ?? search);
    this.#refuse(waiter);
  }

  #refuse(waiter: AnswerWaiter): void {
    this.grant({ kind: "message", plan: unavailable() }, waiter);
  }
}

/** The answer to a request that has waited for too long. */
export function unavailable(): Plan {
  return planMessage(GET, 503);
}

/** Ends a search; closes the file that it has opened. */
export function cancel(search: SuspendedSearch): void {
  let found: Found | SuspendedSearch = search;
  while (found.kind === "remote") found = found.resume(ETIMEDOUT);
  closeFound(found);
}
