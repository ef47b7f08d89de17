/**
 * Mappings where the system sets memory aside for private pages, or a disk is full, in the way that the
 * argument names.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { MappedFile } from "../../../src/mod.ts";
import { refuseMuchMemory } from "../_seccomp.ts";

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const PAGE = 4096;
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");

/** Lets private writable mappings grow by so much, as strict overcommit does. */
function limitData(bytes: number): void {
  const used = Number(/VmData:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;
  execFileSync("prlimit", ["--pid", String(process.pid), `--data=${used + bytes}`]);
}

const WAYS: Record<string, () => void> = {
  read() {
    const fd = openSync(path, "w+");
    ftruncateSync(fd, 6 * GIB);
    MappedFile.open(path).close();
    limitData(2 * GIB);
    const map = MappedFile.open(path);
    assert.equal(map.read(5 * GIB, 10).length, 10);
    assert.throws(() => map.bytes, { name: "UnsupportedError", message: /overcommit.*read\(\)/ });
    assert.throws(() => map.view(0, 10), { name: "UnsupportedError" });
    map.lock({ length: PAGE });
    ftruncateSync(fd, GIB);
    assert.throws(() => map.read(5 * GIB, 10), { name: "TruncatedError" });
    map.close();
    assert.throws(() => MappedFile.open(path, { access: "copy-on-write", length: 6 * GIB }));
  },

  // Neither zeroes of its own size nor many mappings of one page may be laid over it.
  write() {
    const fd = openSync(path, "w+");
    ftruncateSync(fd, 6 * GIB);
    const map = MappedFile.open(path, { access: "write" });
    const first = map.view(0, 100);
    const last = map.view(5 * GIB, 100);
    refuseMuchMemory();
    ftruncateSync(fd, PAGE);
    assert.deepEqual([first[0], last[0], last[PAGE]], [0, 0, undefined]);
    last[5] = 1;
    assert.throws(() => map.close(), { name: "TruncatedError" });
    assert.deepEqual([first.length, last.length], [0, 0]);
    assert.doesNotMatch(readFileSync("/proc/self/maps", "utf8"), new RegExp(path));
  },

  // Huge pages can only be mapped, and replaced, as a whole.
  huge() {
    execFileSync("mount", ["-t", "hugetlbfs", "-o", "pagesize=2M", "sluice-test", folder]);
    try {
      const fd = openSync(path, "w+");
      ftruncateSync(fd, 4 * MIB);
      const map = MappedFile.open(path, { access: "write", offset: 5 * PAGE });
      const { bytes } = map;
      bytes.fill(7);
      ftruncateSync(fd, 2 * MIB);
      assert.deepEqual([bytes[0], bytes[3 * MIB]], [7, 0]);
      assert.throws(() => map.flush(), { name: "TruncatedError" });
      assert.throws(() => map.close(), { name: "TruncatedError" });
      assert.equal(bytes.length, 0);
      const reader = MappedFile.open(path);
      assert.equal(reader.bytes[5 * PAGE], 7);
      reader.close();
    } finally {
      execFileSync("umount", ["-l", folder]);
    }
  },

  full() {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "sluice-test", folder]);
    try {
      const fd = openSync(path, "w+");
      truncateSync(path, 1024 * 1024);
      const map = MappedFile.open(fd, { access: "write" });
      const { bytes } = map;
      for (let at = 0; at < bytes.length; at += PAGE) bytes[at] = 1;
      assert.equal(map.truncated, true);
      assert.throws(() => map.flush(), { name: "SyscallError", code: "EIO" });
      assert.throws(() => map.close(), { name: "SyscallError", code: "EIO" });
    } finally {
      execFileSync("umount", ["-l", folder]);
    }
  },
};

WAYS[process.argv[2]!]!();
rmSync(folder, { recursive: true, force: true });
console.log("alive");
process.exit(0);
