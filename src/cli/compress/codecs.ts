/** The compressors of the runtime, and what is worth compressing. @module */

import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { mediaType } from "../../media_types.ts";
import type { Coding } from "../../http/mod.ts";

/** Creates a compressor for so many bytes. */
export type Codec = (bytes: number) => Transform;

/** From this size on, the best level takes too long for what it saves. */
const LARGE = 1024 * 1024;

const { constants } = zlib;

/** The zstd of newer runtimes; types of older ones do not have it. */
type Zstd = (options: { params: Record<number, number> }) => Transform;

/** Returns the codings that this runtime can produce. */
export function codecs(): ReadonlyMap<Coding, Codec> {
  const { createZstdCompress, zstdCompressSync } = zlib as {
    createZstdCompress?: Zstd;
    zstdCompressSync?: (bytes: Uint8Array) => unknown;
  };
  const { ZSTD_c_compressionLevel: level = 100 } = constants as {
    ZSTD_c_compressionLevel?: number;
  };
  const all = new Map<Coding, Codec>();
  if (works(() => zlib.brotliCompressSync(SAMPLE))) {
    all.set("br", (bytes) =>
      zlib.createBrotliCompress({
        params: {
          [constants.BROTLI_PARAM_QUALITY]: bytes < LARGE ? 11 : 9,
          [constants.BROTLI_PARAM_SIZE_HINT]: Math.min(bytes, 0x3fff_ffff),
        },
      }));
  }
  if (createZstdCompress !== undefined && works(() => zstdCompressSync!(SAMPLE))) {
    all.set(
      "zstd",
      (bytes) => createZstdCompress({ params: { [level]: bytes < LARGE ? 19 : 12 } }),
    );
  }
  all.set("gzip", () => zlib.createGzip({ level: 9 }));
  return all;
}

const SAMPLE = new Uint8Array(16);

/** Some runtimes have functions that only throw. */
function works(compress: () => unknown): boolean {
  try {
    compress();
    return true;
  } catch {
    return false;
  }
}

const TEXT =
  /^(?:text\/|application\/(?:(?:.*\+)?(?:json|xml)|javascript|wasm|x-ndjson|rtf|vnd\.ms-fontobject)|image\/(?:svg\+xml|bmp|vnd\.microsoft\.icon)|font\/(?:ttf|otf)|model\/gltf\+json)/;

/** Whether files with this name become smaller: text, and what is not compressed yet. */
export function isCompressible(name: string): boolean {
  return TEXT.test(mediaType(name));
}
