/** Finds the file for a request in the folder. @module */

import { EMFILE, ENFILE } from "../../../errno.ts";
import type { Mount } from "../../../sys/file/mounts.ts";
import { fdIdentity } from "../../../sys/file/statx.ts";
import { FolderReader } from "../../files/folder.ts";
import { type Found, lookUp, lookUpFile, type LookupRequest } from "../../files/look_up.ts";
import type { Search } from "../../files/search.ts";
import { isFar } from "../../files/near.ts";
import type { OpenFile, Root } from "../../files/open_root.ts";
import { isCommon, planListing, planMessage } from "../../rules/messages.ts";
import type { Settings } from "../../rules/settings.ts";
import type { Mount as Place } from "../../rules/by_path/mount.ts";
import type { Plan } from "../../rules/types.ts";
import { type Accel, accelPath } from "./accel.ts";
import { joined } from "./cached_file.ts";
import type { WantedPage } from "../listing/listings.ts";
import { Reply } from "./response.ts";

/** Settings and callbacks of a finder. */
export interface FinderOptions {
  readonly root: Root;
  readonly settings: Settings;
  /** Index of the root. */
  readonly site: number;
  /** Path below which the root is served. */
  readonly place: Place;
  /** Called when no descriptor is left to open a file: the callee should free some. */
  exhausted(): void;
}

/** A request as a search needs it that may have to wait. */
export interface SearchRequest extends LookupRequest {
  /** Copies the parts of the request that are read later, because its buffer is reused. */
  detach(): void;
}

/** A search that another machine or process has to open a file for. */
export interface SuspendedSearch {
  readonly kind: "remote";
  readonly mount: Mount;
  /** Index of the root. */
  readonly site: number;
  /** Path of the file below the root. */
  readonly path: string;
  /** Goes on; owns the file. Must be called once. */
  resume(opened: OpenFile | number): Found | SuspendedSearch;
}

/** Finds files, and creates the responses without a file. */
export class Finder {
  readonly #options: FinderOptions;
  readonly #reader: FolderReader;
  /** Reason of the current 500 response. */
  #error: string | undefined;
  /** Responses to plans that many requests share. */
  readonly #messages = new Map<Plan, Reply>();

  constructor(options: FinderOptions) {
    this.#options = options;
    this.#reader = new FolderReader(options.root, true);
  }

  /** Looks a target up. */
  find(request: SearchRequest): Found | SuspendedSearch {
    return this.#run(request, lookUp(request, this.#options.settings));
  }

  /** Looks up the file that the program has named. */
  findNamed(
    request: SearchRequest,
    target: string,
    accel: Accel,
  ): Exclude<Found, { kind: "listing" }> | SuspendedSearch {
    const { place, settings } = this.#options;
    const path = accelPath(target, accel, settings.dotfiles, place);
    if (typeof path === "number") return { kind: "message", plan: planMessage(request, path) };
    const found = this.#run(request, lookUpFile(request, path, settings));
    return found as Exclude<typeof found, { kind: "listing" }>;
  }

  #run(
    request: SearchRequest,
    steps: Search<Found>,
    first?: OpenFile | number,
  ): Found | SuspendedSearch {
    try {
      let step = first === undefined ? steps.next() : steps.next(first);
      while (!step.done) {
        const path = step.value;
        const opened = this.#open(path);
        if (isFar(opened)) {
          request.detach();
          const resume = (opened: OpenFile | number) => this.#run(request, steps, opened);
          const { site } = this.#options;
          return { kind: "remote", mount: opened, site, path, resume };
        }
        step = steps.next(opened);
      }
      return step.value;
    } catch (error) {
      return { kind: "message", plan: this.#failure(request, error) };
    }
  }

  /** Creates the response to a plan without a file. */
  message(plan: Plan): Reply {
    const error = this.#error;
    this.#error = undefined;
    const known = error === undefined ? this.#messages.get(plan) : undefined;
    if (known !== undefined) return known;
    const reply = new Reply(plan, null, joined(plan.parts), { error });
    if (isCommon(plan) && error === undefined) {
      reply.kept = true;
      this.#messages.set(plan, reply);
    }
    return reply;
  }

  /** Lists a folder in this thread, if there is no listing thread. */
  listNow(request: LookupRequest, { fd }: OpenFile, { names, page, sort }: WantedPage): Reply {
    const { place, settings } = this.#options;
    try {
      const times = fdIdentity(fd);
      const listing = typeof times === "number"
        ? undefined
        : this.#reader.readNow(fd, times, { dotfiles: settings.dotfiles, names, page, sort });
      if (listing === undefined) return this.message(planMessage(request, 404));
      const placed = { ...listing, names: [...place.names, ...listing.names] };
      return this.message(planListing(request, placed, settings));
    } catch (error) {
      return this.message(this.#failure(request, error));
    }
  }

  /** Opens a file. Without descriptors, asks others to free some and tries again. */
  #open(path: string): OpenFile | number | Mount {
    const { exhausted, root } = this.#options;
    const opened = root.openNear!(path);
    if (opened !== EMFILE && opened !== ENFILE) return opened;
    exhausted();
    return root.openNear!(path);
  }

  /** Reports the failure to the log, but not to the client. */
  #failure(request: LookupRequest, error: unknown): Plan {
    this.#error = error instanceof Error ? error.message : String(error);
    return planMessage(request, 500);
  }
}

/** Closes what was found and is not needed. */
export function closeFound(found: Found): void {
  if (found.kind === "listing") found.folder.close();
  if (found.kind === "file") found.file.close(), found.original?.close();
}
