/**
 * Backs up a running PostgreSQL without pushing its data out of the page cache:
 * `node examples/postgres_backup.ts TARGET [--rate MB] [--direct] [--check] [--beside]`, or with
 * bun or `deno run -A`. Run it on the server's machine, as the user who owns the data.
 *
 * The server is put into backup mode by `psql` (PGHOST, PGPORT and PGUSER say where it is), its
 * files are copied while it works, and the WAL of that time makes them consistent. Files are
 * reflinked if the file system can; otherwise they are copied, and neither side stays in the page
 * cache unless it was there. `--direct` bypasses the page cache with O_DIRECT.
 *
 * `--rate` limits the megabytes per second. `--check` lets PostgreSQL recover a second copy, and
 * verify its checksums if it has some. `--beside` does the same backup by cp, dd and pg_basebackup
 * and compares. TARGET must not exist; it is complete when the example says so.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { parseArgs, promisify } from "node:util";
import type { CopyOptions } from "../src/mod.ts";
import { cachedBytes, uncache } from "./direct_backup/cached.ts";
import { type Copied, copyData, copyWal } from "./postgres_backup/copy.ts";
import { type BackupStart, Session, startBackup, stopBackup } from "./postgres_backup/session.ts";

const run = promisify(execFile);
const MB = 1e6;
const USAGE = `Usage: postgres_backup TARGET [--rate MB] [--direct] [--check] [--beside]

  TARGET      folder of the backup, which must not exist
  --rate MB   most megabytes per second
  --direct    read by direct I/O
  --check     let PostgreSQL recover a copy
  --beside    also copy by cp, dd and pg_basebackup`;

/** The parsed command line. */
interface Settings {
  readonly target: string;
  readonly options: CopyOptions;
  readonly check: boolean;
  readonly beside: boolean;
}

const controller = new AbortController();
let exitCode = 1;
for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.once(signal, () => {
    exitCode = code;
    controller.abort();
  });
}
const settings = parse();
/** Folders to delete when the backup fails. */
const made: string[] = [];
try {
  await main(settings);
} catch (error) {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
  console.error((error as Error).message);
  process.exit(exitCode);
}

function parse(): Settings {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rate: { type: "string" },
        direct: { type: "boolean", default: false },
        check: { type: "boolean", default: false },
        beside: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const [target, ...others] = positionals;
    if (!target || others.length > 0) throw new Error("One target is needed");
    const rate = values.rate === undefined ? undefined : Number(values.rate) * MB;
    if (rate !== undefined && !(rate > 0)) throw new Error(`Not a rate: "${values.rate}"`);
    const options: CopyOptions = {
      // The folder appears at once and is no backup before its label is there.
      atomic: false,
      maxRate: rate,
      method: values.direct ? "direct" : "auto",
      cache: "drop",
      signal: controller.signal,
    };
    return { target, options, check: values.check, beside: values.beside };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function main({ target, options, check, beside }: Settings): Promise<void> {
  const session = new Session();
  let start: BackupStart;
  try {
    start = await backUp(session, target, options);
  } finally {
    session.close();
  }
  const { data, programs } = start;
  if (check) await verify(target, programs);
  if (beside) await compare(data, target);
}

async function backUp(
  session: Session,
  target: string,
  options: CopyOptions,
): Promise<BackupStart> {
  const start = await startBackup(session);
  const { data, firstWal, version } = start;
  const cachedBefore = cachedIn(data);
  const startMs = performance.now();
  mkdirSync(target, { mode: 0o700 });
  made.push(target);
  const files = await copyData(data, target, options);
  const { label, lastWal } = await stopBackup(session, version);
  const wal = await copyWal(data, target, firstWal, lastWal, options);
  await run("sync", ["-f", target]);
  // Last: without the label, PostgreSQL would not recover from the WAL.
  writeFileSync(join(target, "backup_label"), label, { mode: 0o600, flush: true });
  const seconds = (performance.now() - startMs) / 1e3;
  console.log(
    `${target}: ${describe(files)}, and ${describe(wal)} of WAL, ${seconds.toFixed(2)} s`,
  );
  const cached = [cachedBefore, cachedIn(data), cachedIn(target)].map(megabytes);
  console.log(`in the page cache: data ${cached[0]} before, ${cached[1]} after; copy ${cached[2]}`);
  return start;
}

function describe({ files, bytes, methods }: Copied): string {
  const how = [...methods].filter(([name]) => name !== "none").map(([name]) => name).join(", ");
  return `${megabytes(bytes)} in ${files} files by ${how}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}

/** Files of a data folder, without WAL, whose files the server itself replaces. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && basename(entry.parentPath) !== "pg_wal")
    .map((entry) => join(entry.parentPath, entry.name));
}

function cachedIn(folder: string): number {
  let sum = 0;
  for (const path of filesIn(folder)) {
    try {
      sum += cachedBytes(path);
    } catch (error) {
      // The server deletes files while this runs.
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
  return sum;
}

/** Lets PostgreSQL itself recover a copy of the backup, because that changes the files. */
async function verify(target: string, programs: string): Promise<void> {
  const copy = `${target}.check`;
  await run("cp", ["-a", "--reflink=auto", target, copy]);
  try {
    const { signal } = controller;
    // Nobody needs this copy after a power failure.
    const args = ["--single", "-D", copy, "-c", "fsync=off", "template1"];
    const recovery = run(join(programs, "postgres"), args, { signal });
    recovery.child.stdin!.end("SELECT count(*) FROM pg_class\n");
    const { stdout, stderr } = await recovery;
    if (!/count = "\d+"/.test(stdout)) throw new Error(`The copy does not work: ${stderr}`);
    const sums = await run(join(programs, "pg_checksums"), ["--check", "-D", copy], { signal })
      .then(
        () => "and all checksums are right",
        (error: { stderr: string }) => {
          if (!/not enabled/.test(error.stderr)) {
            throw new Error(`Wrong checksums: ${error.stderr}`);
          }
          return "and it has no checksums";
        },
      );
    console.log(`PostgreSQL has recovered the backup, ${sums}`);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Copies the same files by other tools. Only pg_basebackup makes a backup. */
async function compare(data: string, target: string): Promise<void> {
  const copy = `${target}.beside`;
  const dd = `find . -type d -exec mkdir -p "$0/{}" \\; && ` +
    `find . -type f -exec dd if={} of="$0/{}" bs=1M status=none \\;`;
  const tools = {
    cp: ["cp", "-r", target, copy],
    dd: ["sh", "-c", `mkdir "$0" && cd "$1" && ${dd}`, copy, target],
    pg_basebackup: ["pg_basebackup", "-D", copy, "-c", "fast", "-X", "stream", "--no-sync"],
  };
  for (const [name, [program, ...args]] of Object.entries(tools)) {
    filesIn(target).forEach(uncache); // as our backup has left it
    const before = cachedIn(target) + cachedIn(data);
    const startMs = performance.now();
    try {
      await run(program!, args, { signal: controller.signal });
      const seconds = (performance.now() - startMs) / 1e3;
      await run("sync", ["-f", copy]);
      const more = cachedIn(target) + cachedIn(data) + cachedIn(copy) - before;
      console.log(`${name}: ${seconds.toFixed(2)} s, ${megabytes(more)} more in the page cache`);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  }
}
