/** Copies the files of a running PostgreSQL. @module */

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { copyFile, type CopyOptions } from "../../src/mod.ts";

/** Folders whose content belongs to the running server (pg_basebackup leaves them out, too). */
const WITHOUT_CONTENT = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
  "pg_wal",
]);

/** Files that belong to the running server, or that it makes again. */
const LEFT_OUT = /^(postmaster\.(pid|opts)|pgsql_tmp.*|pg_internal\.init.*|backup_label.*)$/;

/** Files that are copied at the same time. */
const AT_A_TIME = 4;

/** Copies of one file, if it shrinks while it is copied. */
const ATTEMPTS = 5;

/** What was copied. */
export interface Copied {
  files: number;
  bytes: number;
  /** How, with the number of files. */
  readonly methods: Map<string, number>;
}

/** Copies the data folder, without WAL. The target folder must be empty. */
export async function copyData(from: string, to: string, options: CopyOptions): Promise<Copied> {
  const files: [source: string, target: string][] = [];
  makeFolders(from, to, files, 0);
  return await copyAll(files, options);
}

/** Copies the WAL files from the first to the last one; names sort by time. */
export async function copyWal(
  from: string,
  to: string,
  first: string,
  last: string,
  options: CopyOptions,
): Promise<Copied> {
  const names = readdirSync(join(from, "pg_wal"))
    .filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= first && name <= last);
  if (!names.includes(last)) throw new Error(`Cannot find the WAL file ${last}`);
  const files = names.map((name) =>
    [join(from, "pg_wal", name), join(to, "pg_wal", name)] as [string, string]
  );
  return await copyAll(files, options);
}

/** Makes the folders below `to`, and lists the files to copy. */
function makeFolders(from: string, to: string, files: [string, string][], depth: number): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const { name } = entry;
    if (LEFT_OUT.test(name)) continue;
    const [source, target] = [join(from, name), join(to, name)];
    if (entry.isFile()) files.push([source, target]);
    else if (entry.isDirectory() || name === "pg_wal") {
      mkdirSync(target, { mode: 0o700 });
      if (depth === 0 && WITHOUT_CONTENT.has(name)) continue;
      makeFolders(source, target, files, depth + 1);
    } else throw new Error(`Cannot copy ${source}: tablespaces are not supported`);
  }
}

/** Copies some files at a time, which share the rate. */
async function copyAll(files: [string, string][], options: CopyOptions): Promise<Copied> {
  const copied: Copied = { files: 0, bytes: 0, methods: new Map() };
  const own = { ...options, maxRate: options.maxRate && options.maxRate / AT_A_TIME };
  const workers = Array.from({ length: AT_A_TIME }, async () => {
    for (let next; (next = files.pop()) !== undefined;) await copyOne(...next, own, copied);
  });
  const results = await Promise.allSettled(workers);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return copied;
}

async function copyOne(
  from: string,
  to: string,
  options: CopyOptions,
  copied: Copied,
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      const { bytes, method } = await copyFile(from, to, options);
      copied.files++;
      copied.bytes += bytes;
      copied.methods.set(method, (copied.methods.get(method) ?? 0) + 1);
      return;
    } catch (error) {
      const { code, name, path } = error as NodeJS.ErrnoException;
      // The server has deleted the file since it was listed; the WAL says so, too.
      if (code === "ENOENT" && (path === undefined || path === from)) return;
      if (name !== "TruncatedError" || attempt === ATTEMPTS) throw error;
    }
  }
}
