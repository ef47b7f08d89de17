/** Uploads of one serving thread: which requests are uploads, and the thread that stores them. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { EPIPE } from "../../../errno.ts";
import { type PipePool, relayPool } from "../../../move/engine/pipe_pool.ts";
import { ROOT } from "../../rules/by_path/mount.ts";
import { belowTarget } from "../../rules/by_path/router.ts";
import { settingsOf } from "../../rules/settings.ts";
import type { Plan } from "../../rules/types.ts";
import {
  planRefusal,
  planUpload,
  type Refusal,
  type Upload,
  type UploadConfig,
} from "../../upload/rules.ts";
import type { BackgroundLink } from "../background/background_link.ts";
import { Field } from "../parser/field_names.ts";
import { CHUNKED } from "../parser/message_rules.ts";
import type { RequestHead } from "../parser/request_head.ts";
import { Chunked, Counted, type Framing } from "../proxy/framing.ts";
import { joined } from "../response/cached_file.ts";
import { requestOf } from "../response/conditional.ts";
import { Reply } from "../response/response.ts";
import type { SiteConfig } from "../sites/options.ts";
import { resultOf } from "./messages.ts";

/** Most bytes that go through memory at once. */
const BUFFER_BYTES = 64 * 1024;

/** A request whose body is to be stored. */
export interface UploadRequest {
  /** Index of the folder that it goes to. */
  readonly site: number;
  readonly config: UploadConfig;
  readonly upload: Upload;
  /** The first bytes of the file, which arrived with the head. */
  readonly ahead: Uint8Array;
  readonly framing: Framing;
  /** Bytes after the body. */
  readonly rest: Uint8Array;
  /** The head as sent. */
  readonly original: Uint8Array;
  /** Whether the client waits for `100 Continue`. */
  readonly expects: boolean;
  /** Length of the body; -1 if unknown. */
  readonly bytes: number;
}

/** Parts and callbacks of {@linkcode Uploads}. */
export interface UploadsOptions {
  /** The thread that stores. */
  readonly link: BackgroundLink;
  readonly sites: readonly SiteConfig[];
  /** Returns the index of the folder of a request, or -1. */
  siteOf(head: RequestHead): number;
}

/** The uploads of one serving thread. */
export class Uploads {
  readonly pipes: PipePool = relayPool();
  /** Empty between two calls. */
  readonly buffer: Cell = new Cell(BUFFER_BYTES);
  readonly #options: UploadsOptions;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /**
   * Takes the request in `head`, whose body begins at `at`: `undefined` if it is no upload, a response if
   * it is refused.
   */
  take(head: RequestHead, at: number, end: number): UploadRequest | Reply | undefined {
    if (head.methodName !== "PUT") return undefined;
    const { bodyLength, bytes } = head;
    const site = this.#options.siteOf(head);
    const { mount, settings, upload: config = null } = this.#options.sites[site] ?? NO_SITE;
    if (config === null) return undefined;
    const length = bodyLength === CHUNKED ? -1 : bodyLength;
    const request = { ...requestOf(head), target: belowTarget(mount, head.target) ?? head.target };
    const upload = planUpload(request, length, config, settingsOf(settings).dotfiles, mount.path);
    if ("status" in upload) return refusalReply(upload);
    const framing = length < 0 ? new Chunked("data") : new Counted(length);
    const last = framing.scan(bytes, at, end);
    if (last < 0) return refusalReply(MALFORMED);
    return {
      site,
      config,
      upload,
      ahead: bytes.slice(at, last - framing.removed),
      framing,
      rest: bytes.slice(last, end),
      original: bytes.slice(head.start, head.end),
      expects: (head.known & Field.EXPECT) !== 0 && head.minor === 1 && at === end,
      bytes: length,
    };
  }

  /** Number of the thread that stores; another one does not know its files. */
  get serial(): number {
    return this.#options.link.serial;
  }

  /**
   * Sends a message to the thread that stores; `done` gets the result, or `EPIPE` if it is gone, or is
   * not the one that is meant.
   */
  ask(message: Uint8Array, done: (result: number) => void, serial?: number): void {
    const answered = (result?: Uint8Array) => done(result === undefined ? EPIPE : resultOf(result));
    this.#options.link.send(message, answered, serial);
  }

  /** Frees the pipes. Call it only after the thread that stores has ended, and the link was closed. */
  close(): void {
    this.pipes.close();
  }
}

const NO_SITE = { mount: ROOT, settings: {}, upload: null };

const MALFORMED = { status: 400, reason: "the body is malformed" };

/** The response to an upload that is refused. */
export function refusalReply(refusal: Refusal): Reply {
  return replyTo(planRefusal(refusal));
}

/** A response that is in memory. */
export function replyTo(plan: Plan): Reply {
  return new Reply(plan, null, joined(plan.parts));
}
