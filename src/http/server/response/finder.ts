/** Finds the file for a request in the folder. @module */

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

/** Settings and callbacks of a finder. */
export interface FinderOptions {
  readonly root: Root;
  readonly settings: Settings;
  /** Called when no descriptor is left to open a file: the callee should free some. */
  exhausted(): void;
}

/** Finds files, and creates the responses without a file. */
export class Finder {
  readonly #options: FinderOptions;
  readonly #reader: FolderReader;
  /** Reason of the current 500 response. */
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

  /** Looks up one file by its path below the root. */
  findFile(request: LookupRequest, path: string): Exclude<Found, { kind: "listing" }> {
    try {
      return searchNow(lookUpFile(request, path, this.#options.settings), this.#open);
    } catch (error) {
      return { kind: "message", plan: this.#failure(request, error) };
    }
  }

  /** Creates the response to a plan without a file. */
  message(plan: Plan): Reply {
    const error = this.#error;
    this.#error = undefined;
    return new Reply(plan, null, joined(plan.parts), { error });
  }

  /** Lists a folder in this thread, if there is no listing thread. */
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

  /** Opens a file. Without descriptors, asks others to free some and tries again. */
  readonly #open = (path: string): OpenFile | number => {
    const { exhausted, root } = this.#options;
    const opened = root.openNow!(path);
    if (opened !== EMFILE && opened !== ENFILE) return opened;
    exhausted();
    return root.openNow!(path);
  };

  /** Reports the failure to the log, but not to the client. */
  #failure(request: LookupRequest, error: unknown): Plan {
    this.#error = error instanceof Error ? error.message : String(error);
    return planMessage(request, 500);
  }
}
