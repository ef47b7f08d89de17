/** Messages from a server's threads to the threads that wait for other machines and processes. @module */

import type { ListingRequest } from "../listing/listing_thread.ts";
import type { OpenFile } from "../../files/open_root.ts";

/** One call, as JSON. Descriptors belong to all threads of the process. */
export type RemoteRequest =
  /** Opens a path below a root; answered by {@linkcode RemoteFacts}, or a negative errno. */
  | { readonly op: "open"; readonly site: number; readonly path: string }
  /** Closes a descriptor; answered by nothing. */
  | { readonly op: "close"; readonly fd: number }
  /** Copies a part of a file to the start of an empty memory file; answered by a count or `-errno`. */
  | {
    readonly op: "read";
    readonly fd: number;
    readonly offset: number;
    readonly count: number;
    readonly into: number;
  }
  /** Makes the page of a folder; answered as by the thread that does nothing else. */
  | { readonly op: "list" } & ListingRequest;

/** Attributes of an opened file. Times are in nanoseconds. */
export interface RemoteFacts
  extends Pick<OpenFile, "fd" | "folder" | "size" | "remote">, Required<Pick<OpenFile, "made">> {
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes a message. */
export function encode(message: RemoteRequest | RemoteFacts | number): Uint8Array {
  return encoder.encode(JSON.stringify(message));
}

/** Reads a message. */
export function decode<T extends RemoteRequest | RemoteFacts | number>(message: Uint8Array): T {
  return JSON.parse(decoder.decode(message)) as T;
}
