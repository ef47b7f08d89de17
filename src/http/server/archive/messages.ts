/** Messages between a serving thread and the thread of archives. @module */

import type { ArchiveFault } from "../../archive/response.ts";
import type { ArchiveFormat } from "../../archive/types.ts";

/** A request, as JSON. */
export type ArchiveRequest =
  | {
    readonly op: "begin";
    /** Index of the root. */
    readonly site: number;
    /** Decoded names of the folder from the root down. */
    readonly names: readonly string[];
    readonly format: ArchiveFormat;
  }
  | { readonly op: "step" | "end"; readonly id: number };

/** The answer to `begin`, as JSON. */
export type ArchiveBegun =
  | { readonly id: number; readonly length: number }
  | ArchiveFault;

/** The answer to `step`: bytes, and then a file, whose receiver closes it. */
export type Piece =
  | { readonly kind: "bytes" | "end" | "wait" | "failed"; readonly bytes: Uint8Array }
  | {
    readonly kind: "file";
    readonly bytes: Uint8Array;
    readonly fd: number;
    readonly size: number;
    readonly remote: boolean;
  };

const KINDS = ["bytes", "end", "wait", "failed", "file"] as const;

/** Bytes before those of a piece: `{ u8 kind, u8 remote, u32 fd, f64 size }`, without padding. */
const HEAD_BYTES = 14;

/** Encodes a piece. */
export function encodePiece(piece: Piece): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + piece.bytes.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, KINDS.indexOf(piece.kind));
  if (piece.kind === "file") {
    view.setUint8(1, piece.remote ? 1 : 0);
    view.setUint32(2, piece.fd, true);
    view.setFloat64(6, piece.size, true);
  }
  bytes.set(piece.bytes, HEAD_BYTES);
  return bytes;
}

/** Decodes a piece; its bytes are those of the message. */
export function decodePiece(message: Uint8Array): Piece {
  const view = new DataView(message.buffer, message.byteOffset);
  const kind = KINDS[view.getUint8(0)]!;
  const bytes = message.subarray(HEAD_BYTES);
  if (kind !== "file") return { kind, bytes };
  const remote = view.getUint8(1) === 1;
  return { kind, bytes, remote, fd: view.getUint32(2, true), size: view.getFloat64(6, true) };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes a request or an answer as JSON. */
export function encodeJson(value: ArchiveRequest | ArchiveBegun): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Decodes it. */
export function decodeJson<T>(message: Uint8Array): T {
  return JSON.parse(decoder.decode(message)) as T;
}
