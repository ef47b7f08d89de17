/** The formats of archives. @module */

import { tarLength, tarWriter } from "./tar.ts";
import type { ArchiveEntry, ArchiveFormat, ArchiveWriter } from "./types.ts";
import { zipLength, zipWriter } from "./zip.ts";

/** Length of an archive in bytes. */
export function lengthOfArchive(entries: readonly ArchiveEntry[], format: ArchiveFormat): number {
  return format === "tar" ? tarLength(entries) : zipLength(entries);
}

/** Creates a writer. */
export function writerOfArchive(format: ArchiveFormat): ArchiveWriter {
  return format === "tar" ? tarWriter() : zipWriter();
}
