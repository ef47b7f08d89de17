import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { CLOSED_FD, fails, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { FileAdvice, SyncRangeFlag } = sys;
const PAGE = 4096;

/** Milliseconds until a read that was started must have ended. */
const PATIENCE_MS = 2000;

describe("posixFadvise(), readahead() and cachestat()", () => {
  it("drop clean pages, and read them in again", () =>
    withFile(pattern(32 * PAGE), (fd) => {
      assert.equal(sys.cachestat(fd, 0, 0).cached, 32);
      sys.fdatasync(fd);
      sys.posixFadvise(fd, 0, 0, FileAdvice.DONTNEED);
      assert.equal(sys.cachestat(fd, 0, 0).cached, 0);
      sys.readahead(fd, 0, 8 * PAGE);
      const end = Date.now() + PATIENCE_MS;
      while (sys.cachestat(fd, 0, 8 * PAGE).cached < 8 && Date.now() < end);
      assert.equal(sys.cachestat(fd, 0, 8 * PAGE).cached, 8);
    }));

  it("start to read with WILLNEED", () =>
    withFile(pattern(4 * PAGE), (fd) => {
      sys.fdatasync(fd);
      sys.posixFadvise(fd, 0, 0, FileAdvice.DONTNEED);
      sys.posixFadvise(fd, 0, 4 * PAGE, FileAdvice.WILLNEED);
      const end = Date.now() + PATIENCE_MS;
      while (sys.cachestat(fd, 0, 0).cached < 4 && Date.now() < end);
      assert.equal(sys.cachestat(fd, 0, 0).cached, 4);
    }));

  it("leave dirty pages where they are", () =>
    withFile("", (fd) => {
      sys.pwrite(fd, pattern(4 * PAGE), 0);
      assert.equal(sys.cachestat(fd, 0, 0).dirty, 4);
      sys.posixFadvise(fd, 0, 0, FileAdvice.DONTNEED);
      assert.ok(sys.cachestat(fd, 0, 0).cached > 0);
    }));

  it(
    "throw ESPIPE, EINVAL and EBADF",
    scoped((scope) => {
      const [read] = scope.pipe();
      const [socket] = scope.unix();
      const file = scope.memfd();
      fails("ESPIPE", "posix_fadvise", () => sys.posixFadvise(read, 0, 0, 0));
      fails("EINVAL", "posix_fadvise", () => sys.posixFadvise(file, 0, 0, 99));
      fails("EBADF", "posix_fadvise", () => sys.posixFadvise(CLOSED_FD, 0, 0, 0));
      fails("EINVAL", "readahead", () => sys.readahead(read, 0, 1));
      fails("EINVAL", "readahead", () => sys.readahead(socket, 0, 1));
      fails("EBADF", "readahead", () => sys.readahead(CLOSED_FD, 0, 1));
      fails("EBADF", "cachestat", () => sys.cachestat(CLOSED_FD, 0, 0));
    }),
  );
});

describe("syncFileRange(), fsync() and fdatasync()", () => {
  it("write dirty pages back", () =>
    withFile("", (fd) => {
      const { WAIT_BEFORE, WRITE, WAIT_AFTER } = SyncRangeFlag;
      sys.pwrite(fd, pattern(4 * PAGE), 0);
      sys.syncFileRange(fd, 0, 0, WAIT_BEFORE | WRITE | WAIT_AFTER);
      assert.equal(sys.cachestat(fd, 0, 0).dirty, 0);
      sys.pwrite(fd, pattern(4 * PAGE), 0);
      sys.fsync(fd);
      assert.equal(sys.cachestat(fd, 0, 0).dirty, 0);
      sys.pwrite(fd, pattern(4 * PAGE), 0);
      sys.fdatasync(fd);
      assert.equal(sys.cachestat(fd, 0, 0).dirty, 0);
    }));

  it(
    "throw ESPIPE or EINVAL for a pipe, EBADF for a closed descriptor",
    scoped((scope) => {
      const [read] = scope.pipe();
      fails("ESPIPE", "sync_file_range", () => sys.syncFileRange(read, 0, 0, 0));
      fails("EINVAL", "sync_file_range", () => sys.syncFileRange(scope.memfd(), 0, 0, 0x100));
      fails("EINVAL", "fsync", () => sys.fsync(read));
      fails("EINVAL", "fdatasync", () => sys.fdatasync(read));
      fails("EBADF", "sync_file_range", () => sys.syncFileRange(CLOSED_FD, 0, 0, 0));
      fails("EBADF", "fsync", () => sys.fsync(CLOSED_FD));
      fails("EBADF", "fdatasync", () => sys.fdatasync(CLOSED_FD));
    }),
  );
});
