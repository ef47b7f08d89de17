/** What an archive of a folder consists of. @module */

/** An entry of an archive. */
export interface ArchiveEntry {
  /** Path in the archive; ends in a slash for a folder. */
  readonly name: string;
  /** Path below the root. */
  readonly path: string;
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** Last modification, in milliseconds since the epoch. */
  readonly modifiedMs: number;
}

/** Writes one archive: the bytes between the files, which are stored as they are. */
export interface ArchiveWriter {
  /** Whether {@linkcode before} needs the CRC-32 of a file. */
  readonly sums: boolean;
  /** Bytes before the data of an entry. */
  before(entry: ArchiveEntry, crc: number): Uint8Array;
  /** Bytes after it. */
  after(entry: ArchiveEntry): Uint8Array;
  /** Bytes after the last entry. */
  end(): Uint8Array;
}

/** Formats by the value of `?download=`. */
export type ArchiveFormat = "tar" | "zip";

/** Returns the format that a query asks for. */
export function archiveFormat(query: string): ArchiveFormat | undefined {
  const [, format] = /[?&]download=(tar|zip)(?:&|$)/.exec(query) ?? [];
  return format as ArchiveFormat | undefined;
}

/** Checked options. */
export interface ArchiveConfig {
  readonly maxEntries: number;
  readonly maxBytes: number;
}
