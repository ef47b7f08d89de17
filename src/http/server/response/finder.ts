/** From a request to what the folder has for it. @module */

import { EMFILE, ENFILE } from "../../../errno.ts";
import { fdIdentity } from "../../../sys/file/statx.ts";
import { FolderReader } from "../../files/folder.ts";
import {
  type Found,
  lookUp,
  lookUpFile,
  type LookupRequest,
  searchNow,
} from "../../files/look_up.ts";
import type { OpenFile, Root } from "../../files/open_root.ts";
import { planListing, planMessage } from "../../rules/messages.ts";
import type { Settings } from "../../rules/settings.ts";
import type { Plan } from "../../rules/types.ts";
import { joined } from "./cached_file.ts";
import type { WantedPage } from "../listing/listings.ts";
import { Reply } from "./response.ts";

/** What a finder looks in. */
export interface FinderOptions {
  readonly root: Root;
  readonly settings: Settings;
  /** Called when no descriptor is left to open a file: somebody should give one up. */
  exhausted(): void;
}

/** Finds files, and makes the answers without a file. */
export class Finder {
  readonly #options: FinderOptions;
  readonly #reader: FolderReader;
  /** Why the answer at hand is 500. */
  #error: string | undefined;

  constructor(options: FinderOptions) {
    this.#options = options;
    this.#reader = new FolderReader(options.root);
  }

  /** Looks a target up. */
  find(request: LookupRequest): Found {
    try {
      return searchNow(lookUp(request, this.#options.settings), this.#open);
    } catch (error) {
      return { kind: "message", plan: this.#failure(request, error) };
    }
  }

  /** Looks one file up, by its path below the root. */
  findFile(request: LookupRequest, path: string): Exclude<Found, { kind: "listing" }> {
    try {
      return searchNow(lookUpFile(request, path, this.#options.settings), this.#open);
    } catch (error) {
      return { kind: "message", plan: this.#failure(request, error) };
    }
  }

  /** The answer that a plan without a file makes. */
  message(plan: Plan): Reply {
    const error = this.#error;
    this.#error = undefined;
    return new Reply(plan, null, joined(plan.parts), { error });
  }

  /** Reads a folder in this thread: where no other one does. */
  listNow(request: LookupRequest, { fd }: OpenFile, { names, page }: WantedPage): Reply {
    const { settings } = this.#options;
    try {
      const times = fdIdentity(fd);
      const listing = typeof times === "number"
        ? undefined
        : this.#reader.readNow(fd, times, { dotfiles: settings.dotfiles, names, page });
      if (listing === undefined) return this.message(planMessage(request, 404));
      return this.message(planListing(request, listing, settings));
    } catch (error) {
      return this.message(this.#failure(request, error));
    }
  }

  /** Opens a file. Without descriptors, others give theirs up, and it tries again. */
  readonly #open = (path: string): OpenFile | number => {
    const { exhausted, root } = this.#options;
    const opened = root.openNow!(path);
    if (opened !== EMFILE && opened !== ENFILE) return opened;
    exhausted();
    return root.openNow!(path);
  };

  /** Somebody should know, but not the client. */
  #failure(request: LookupRequest, error: unknown): Plan {
    this.#error = error instanceof Error ? error.message : String(error);
    return planMessage(request, 500);
  }
}
