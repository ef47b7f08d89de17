/** A session with PostgreSQL, by psql. Backup mode ends with the session that started it. @module */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";

const MARK = "-- end of the answer --";

/** One connection; psql takes the server and the user from PGHOST, PGUSER and so on. */
export class Session {
  readonly #psql: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #failed: Promise<never>;
  #errors = "";

  constructor() {
    const args = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", process.env["PGDATABASE"] ?? "postgres"];
    this.#psql = spawn("psql", args);
    this.#psql.stdin.on("error", () => {}); // the missing answer reports it
    this.#psql.stderr.setEncoding("utf8").on("data", (text: string) => this.#errors += text);
    this.#lines = createInterface(this.#psql.stdout)[Symbol.asyncIterator]();
    this.#failed = new Promise((_, reject) => {
      this.#psql.once("error", reject);
      this.#psql.once("close", () => reject(new Error(this.#errors.trim() || "psql has ended")));
    });
    this.#failed.catch(() => {});
  }

  /** Runs a statement and returns its output. */
  async query(sql: string): Promise<string> {
    this.#psql.stdin.write(`${sql};\n\\echo ${MARK}\n`);
    const answer: string[] = [];
    for (;;) {
      const { value, done } = await Promise.race([this.#lines.next(), this.#failed]);
      if (done) return await this.#failed;
      if (value === MARK) return answer.join("\n");
      answer.push(value);
    }
  }

  /** Ends the session. The server leaves backup mode and drops the temporary slot. */
  close(): void {
    this.#psql.stdin.end();
  }
}

/** What a base backup needs to start from. */
export interface BackupStart {
  /** Folder of the data. */
  readonly data: string;
  /** Name of the first WAL file that the backup needs. */
  readonly firstWal: string;
  readonly version: number;
  /** Folder of the server's programs. */
  readonly programs: string;
}

/** Puts the server into backup mode, and keeps the WAL from now on. */
export async function startBackup(session: Session): Promise<BackupStart> {
  const data = await session.query("SHOW data_directory");
  const version = Number(await session.query("SHOW server_version_num"));
  const programs = await session.query("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
  // The slot lives as long as the session.
  const slot = "'sluice_backup_' || pg_backend_pid(), true, true";
  await session.query(`SELECT pg_create_physical_replication_slot(${slot})`);
  const call = version < 150_000
    ? "pg_start_backup('sluice', true, false)"
    : "pg_backup_start('sluice', true)";
  const firstWal = await session.query(`SELECT pg_walfile_name(${call})`);
  return { data, firstWal, version, programs };
}

/** Ends backup mode. Returns the text of the file `backup_label`, and the last WAL file needed. */
export async function stopBackup(
  session: Session,
  version: number,
): Promise<{ label: string; lastWal: string }> {
  const call = version < 150_000 ? "pg_stop_backup(false, true)" : "pg_backup_stop(true)";
  // In base64, because the label has several lines.
  const label = "translate(encode(convert_to(labelfile, 'UTF8'), 'base64'), E'\\n', '')";
  const answer = await session.query(`SELECT pg_walfile_name(lsn), ${label} FROM ${call}`);
  const [lastWal = "", encoded = ""] = answer.split("|");
  return { lastWal, label: Buffer.from(encoded, "base64").toString("utf8") };
}
