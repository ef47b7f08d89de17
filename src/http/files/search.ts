/** Searches for files: what they find, and how a blocking thread and an event loop drive them. @module */

import type { Target } from "../rules/target.ts";
import type { Plan, PlanRequest } from "../rules/types.ts";
import type { OpenFile } from "./root.ts";

/** The result of a look-up. */
export type Found =
  /** A file, or a part of one. The receiver closes it, even if the plan has no parts. */
  | {
    readonly kind: "file";
    readonly plan: Plan;
    readonly file: OpenFile;
    /** Path of the requested file. */
    readonly path: string;
    /** The original of a sidecar, with `keepOriginal`. The receiver closes it. */
    readonly original?: OpenFile | undefined;
    /** Whether it is sent in place of another, such as the `spa` page. */
    readonly standsIn?: boolean;
  }
  /** A response without a file; the plan's `status` says why. */
  | { readonly kind: "message"; readonly plan: Plan }
  /** A folder to list. The receiver closes it. */
  | { readonly kind: "listing"; readonly folder: OpenFile; readonly target: Target };

/** A request for a file below a root. */
export interface LookupRequest extends FileRequest {
  /** The request target to look up, such as `/a%20b?c`. */
  readonly target: string;
  /** The target as the client sent it, if a framework has removed a prefix. */
  readonly original?: string | undefined;
}

/** A request for one file; see {@linkcode Found}. */
export interface FileRequest extends PlanRequest {
  /** Whether to keep a sidecar's original open, to notice when it changes. */
  readonly keepOriginal?: boolean | undefined;
}

/** Yields paths below the root and receives, for each, a file or a negative errno. */
export type Search<T> = Generator<string, T, OpenFile | number>;

/** Drives a search in a thread that may block. */
export function searchNow<T>(search: Search<T>, open: (path: string) => OpenFile | number): T {
  for (let step = search.next();;) {
    if (step.done) return step.value;
    step = search.next(open(step.value));
  }
}

/** Drives a search without blocking the event loop; returns at once if it need not wait. */
export function search<T>(
  steps: Search<T>,
  open: (path: string) => OpenFile | number | Promise<OpenFile | number>,
): T | Promise<T> {
  for (let step = steps.next();;) {
    if (step.done) return step.value;
    const opened = open(step.value);
    if (opened instanceof Promise) return resume(steps, opened, open);
    step = steps.next(opened);
  }
}

async function resume<T>(
  steps: Search<T>,
  opened: Promise<OpenFile | number>,
  open: (path: string) => OpenFile | number | Promise<OpenFile | number>,
): Promise<T> {
  for (let step = steps.next(await opened);;) {
    if (step.done) return step.value;
    step = steps.next(await open(step.value));
  }
}
