import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { fails, type Scope, scoped } from "../_kit/fds.ts";
import { pattern, withFile } from "../_kit/temp.ts";

const { OpenFlag } = sys;
/** More than any device asks for. */
const BLOCK = 4096;
const TAIL = 1696;

/** Why the temporary folder shows nothing of direct I/O, if so. */
const NO_DIRECT: string | false = withFile("", (_, path) => {
  const { mask } = sys.statx(null, path, 0, sys.StatxMask.DIOALIGN);
  return (mask & sys.StatxMask.DIOALIGN) === 0 && "the file system tells no alignment for O_DIRECT";
});

/** Opens the file past the page cache, with aligned memory to use it. */
function withDirect(
  bytes: Uint8Array,
  body: (direct: number, memory: sys.Region, buffered: number, scope: Scope) => void,
): void {
  withFile(bytes, (file, path) =>
    scoped((scope) => {
      sys.fdatasync(file);
      const memory = sys.posixMemalign(BLOCK, 4 * BLOCK);
      try {
        body(scope.open(path, OpenFlag.RDWR | OpenFlag.DIRECT), memory, file, scope);
      } finally {
        sys.free(memory);
      }
    })());
}

describe("O_DIRECT", { skip: NO_DIRECT }, () => {
  it("reads the tail of a file, and 0 past its end", () =>
    withDirect(pattern(2 * BLOCK + TAIL), (fd, memory) => {
      assert.equal(sys.pread(fd, memory.bytes(0, BLOCK), 2 * BLOCK), TAIL);
      assert.deepEqual(memory.bytes(0, TAIL), pattern(2 * BLOCK + TAIL).subarray(2 * BLOCK));
      assert.equal(sys.pread(fd, memory.bytes(0, BLOCK), 3 * BLOCK), 0);
    }));

  it("writes a tail as a whole block, to be cut afterwards", () =>
    withDirect(new Uint8Array(0), (fd, memory, buffered) => {
      memory.bytes(0, BLOCK).fill(0).set(pattern(TAIL));
      assert.equal(sys.pwrite(fd, memory.bytes(0, BLOCK), 0), BLOCK);
      sys.ftruncate(fd, TAIL);
      const target = new Uint8Array(BLOCK);
      assert.equal(sys.pread(buffered, target, 0), TAIL);
      assert.deepEqual(target.subarray(0, TAIL), pattern(TAIL));
    }));

  it("throws EINVAL for a length, an offset and memory that are not aligned", () =>
    withDirect(pattern(2 * BLOCK), (fd, memory) => {
      fails("EINVAL", "pread", () => sys.pread(fd, memory.bytes(0, 100), 0));
      fails("EINVAL", "pread", () => sys.pread(fd, memory.bytes(0, BLOCK), 100));
      fails("EINVAL", "pread", () => sys.pread(fd, memory.bytes(1, BLOCK), 0));
      fails("EINVAL", "pwrite", () => sys.pwrite(fd, memory.bytes(1, BLOCK), 0));
      fails("EINVAL", "read", () => sys.read(fd, memory.bytes(1, BLOCK)));
      fails("EINVAL", "write", () => sys.write(fd, memory.bytes(1, BLOCK)));
      const parts = [memory.bytes(0, BLOCK), memory.bytes(BLOCK, BLOCK - 1)];
      fails("EINVAL", "preadv2", () => sys.preadv2(fd, parts, 0));
    }));

  it("accepts memory that statx calls aligned", () =>
    withDirect(pattern(2 * BLOCK), (fd, memory) => {
      const { DIOALIGN } = sys.StatxMask;
      const stat = sys.statx(fd, "", sys.StatxFlag.EMPTY_PATH, DIOALIGN);
      const at = stat.directMemoryAlign;
      assert.equal(
        sys.pread(fd, memory.bytes(at, stat.directOffsetAlign), stat.directOffsetAlign),
        stat.directOffsetAlign,
      );
    }));

  it("sees what was written by way of the cache, and the other way round", () =>
    withDirect(pattern(BLOCK), (fd, memory, buffered, scope) => {
      const mapped = scope.map(sys.mmap(BLOCK, 3, sys.MapFlag.SHARED, buffered));
      sys.pwrite(buffered, new Uint8Array([99]), 5);
      mapped.bytes()[6] = 98;
      sys.pread(fd, memory.bytes(0, BLOCK), 0);
      assert.deepEqual([...memory.bytes(4, 4)], [4, 99, 98, 7]);
      memory.bytes()[0] = 97;
      sys.pwrite(fd, memory.bytes(0, BLOCK), 0);
      const target = new Uint8Array(1);
      sys.pread(buffered, target, 0);
      assert.deepEqual([target[0], mapped.bytes()[0]], [97, 97]);
    }));

  it("drops the pages that it passes by", () =>
    withDirect(pattern(4 * BLOCK), (fd, memory, buffered) => {
      assert.ok(sys.cachestat(buffered, 0, 0).cached > 0);
      sys.pwrite(fd, memory.bytes(), 0);
      assert.equal(sys.cachestat(buffered, 0, 0).cached, 0);
    }));
});
