import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { backUp } from "../../examples/direct_backup/backup.ts";
import { cachedBytes } from "../../examples/direct_backup/cached.ts";
import { progressLine } from "../../examples/direct_backup/progress_line.ts";
import { statx, StatxMask } from "../../src/sys/mod.ts";
import { commandLine, runChild } from "../_kit/child.ts";
import { noise } from "../_kit/bytes.ts";
import { dropFromCache } from "../_kit/page_cache.ts";

const EXAMPLE = new URL("../../examples/direct_backup.ts", import.meta.url);
const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "sluice-backup-"));
const source = join(folder, "source");
const content = noise(40 * MIB + 777);
writeFileSync(source, content);

/** Why nothing can be kept out of the page cache here, if so. */
const NO_DIRECT: string | false = (() => {
  const { mask } = statx(null, source, 0, StatxMask.DIOALIGN);
  return (mask & StatxMask.DIOALIGN) === 0 && "the file system tells no alignment for O_DIRECT";
})();

after(() => rmSync(folder, { recursive: true }));

async function drop(path: string): Promise<void> {
  const fd = openSync(path, "r+");
  await dropFromCache(fd);
  closeSync(fd);
}

describe("examples/direct_backup.ts", () => {
  it("copies every byte and brings nothing into the page cache", { skip: NO_DIRECT }, async () => {
    const target = join(folder, "target");
    await drop(source);
    const { code, stdout, stderr } = await runChild(EXAMPLE, { args: [source, target] });
    assert.equal(code, 0, stderr);
    // A page or two may be read by the file system itself.
    const cached = cachedBytes(source) + cachedBytes(target);
    assert.ok(cached < MIB, `${cached} bytes are in the page cache`);
    assert.match(
      stdout,
      /^41943817 bytes in \d+ ms, .* from direct to direct, by (ring|threads)$/m,
    );
    assert.ok(readFileSync(target).equals(content));
  });

  it("leaves alone what is there already", { skip: NO_DIRECT }, async () => {
    readFileSync(source);
    const before = cachedBytes(source);
    await backUp(source, join(folder, "warm"));
    assert.ok(cachedBytes(source) >= before * 0.9, `${cachedBytes(source)} of ${before}`);
  });

  it("replaces a target when it is complete, and tells how far it is", async () => {
    const target = join(folder, "replaced");
    writeFileSync(target, "older");
    const seen: number[] = [];
    const { bytes } = await backUp(source, target, {
      onProgress(done, total) {
        assert.equal(total, content.length);
        assert.equal(readFileSync(target, "utf8"), "older");
        seen.push(done);
      },
    });
    assert.equal(bytes, content.length);
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
    assert.equal(seen.at(-1), content.length);
    assert.equal(statSync(target).size, content.length);
  });

  it("leaves nothing behind when it is stopped or fails", async () => {
    const target = join(folder, "stopped");
    const controller = new AbortController();
    const stopped = backUp(source, target, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await assert.rejects(stopped, { name: "AbortError" });
    await assert.rejects(backUp(join(folder, "missing"), target), { code: "ENOENT" });
    assert.ok(!existsSync(target) && !existsSync(`${target}.part`));
  });

  it("copies an empty file", async () => {
    writeFileSync(join(folder, "empty"), "");
    await backUp(join(folder, "empty"), join(folder, "empty-copy"));
    assert.equal(statSync(join(folder, "empty-copy")).size, 0);
  });

  it("says what it wants, and what went wrong", async () => {
    const usage = await runChild(EXAMPLE, { args: ["one"] });
    assert.deepEqual([usage.code, /Usage/.test(usage.stderr)], [2, true]);
    const missing = await runChild(EXAMPLE, { args: [join(folder, "missing"), "x"] });
    assert.deepEqual([missing.code, /ENOENT/.test(missing.stderr)], [1, true]);
  });

  it("shows its progress on a terminal only", () => {
    const written: string[] = [];
    const write = (text: string) => written.push(text);
    const line = progressLine({ isTTY: true, write });
    line.show(50, 100);
    line.show(100, 100);
    line.end();
    assert.match(written.join(""), /\r50 % .*\r100 % .*\n/s);
    written.length = 0;
    const silent = progressLine({ write });
    silent.show(100, 100);
    silent.end();
    assert.deepEqual(written, []);
  });
});

const run = promisify(execFile);
const POSTGRES = new URL("../../examples/postgres_backup.ts", import.meta.url);

/**
 * PostgreSQL refuses root, so its programs then run as its own user. It may read everything, because a
 * checkout may lie in a folder of root's.
 */
const OWNER = process.getuid?.() !== 0 ? [] : [
  "setpriv",
  ...["--reuid=postgres", "--regid=postgres", "--init-groups"],
  ...["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"],
];

/** Folder of PostgreSQL's programs, or why the test cannot run. */
const SERVER: { bin: string } | { reason: string } = (() => {
  if (process.env["SLUICE_FFI"] === "none") return { reason: "page caches need foreign calls" };
  const versions = "/usr/lib/postgresql";
  const [version] = existsSync(versions) ? readdirSync(versions).sort().reverse() : [];
  if (version === undefined) return { reason: "PostgreSQL is not installed" };
  const can = (...test: string[]) => {
    const [program, ...args] = [...OWNER, "test", ...test];
    return spawnSync(program!, args).status === 0;
  };
  if (!can("-r", fileURLToPath(POSTGRES))) return { reason: "its user cannot read this folder" };
  if (!can("-x", process.execPath)) return { reason: "its user cannot run this runtime" };
  return { bin: join(versions, version, "bin") };
})();

describe("examples/postgres_backup.ts", { skip: "reason" in SERVER && SERVER.reason }, () => {
  const bin = "bin" in SERVER ? SERVER.bin : "";
  // In memory, because a thousand small files are slow on a busy disk.
  const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const place = mkdtempSync(join(memory, "sluice-postgres-"));
  const env = { ...process.env, PGHOST: place, PGUSER: "sluice", PGDATABASE: "postgres" };
  const data = join(place, "data");
  const asOwner = (...command: string[]) => {
    const [program, ...args] = [...OWNER, ...command];
    return run(program!, args, { env, cwd: place });
  };
  const backUpTo = (name: string, ...more: string[]) =>
    asOwner(...commandLine(POSTGRES, [join(place, name), ...more]));

  before(async () => {
    if (OWNER.length > 0) chownSync(place, Number(spawnSync("id", ["-u", "postgres"]).stdout), 0);
    const init = [
      "-N",
      "-k",
      "-A",
      "trust",
      "--no-locale",
      "-U",
      "sluice",
      "--wal-segsize=1",
      "-D",
      data,
    ];
    await asOwner(join(bin, "initdb"), ...init);
    const options = `-c listen_addresses= -c unix_socket_directories=${place} -c fsync=off`;
    const log = join(place, "log");
    await asOwner(join(bin, "pg_ctl"), "-D", data, "-l", log, "-w", "-o", options, "start");
  });
  after(async () => {
    await asOwner(join(bin, "pg_ctl"), "-D", data, "-m", "immediate", "stop").catch(() => {});
    rmSync(place, { recursive: true, force: true });
  });

  it("copies a live database that PostgreSQL then recovers", async () => {
    const { stdout } = await backUpTo("copy", "--check");
    assert.match(stdout, /MB in \d+ files by copy, and [\d.]+ MB in \d+ files by copy of WAL/);
    assert.match(stdout, /recovered the backup, and all checksums are right/);
    assert.match(readFileSync(join(place, "copy", "backup_label"), "utf8"), /^START WAL LOCATION/);
    assert.ok(!existsSync(join(place, "copy.check")));
  });

  it("touches no existing folder, and removes what it could not complete", async () => {
    await assert.rejects(backUpTo("data"), { code: 1, stderr: /EEXIST/ });
    const link = join(data, "base", "link");
    await asOwner("ln", "-s", "/elsewhere", link);
    await assert.rejects(backUpTo("partial"), { code: 1, stderr: /tablespaces are not supported/ });
    await asOwner("rm", link);
    assert.ok(!existsSync(join(place, "partial")));
    await assert.rejects(backUpTo("rated", "--rate", "no"), { code: 2, stderr: /Usage/ });
  });
});
