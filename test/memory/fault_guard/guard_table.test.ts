import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MOST_ROWS, type Row, Table, TABLE_LENGTH } from "../../../src/memory/fault_guard/table.ts";
import { MapFlag, mmap, munmap, Protection } from "../../../src/sys/mod.ts";

describe("the table of the fault guard", () => {
  const buffer = new ArrayBuffer(TABLE_LENGTH);
  const words = new Int32Array(buffer);
  const region = mmap(4096, Protection.READ, MapFlag.PRIVATE | MapFlag.ANONYMOUS, null);
  const range = { region, pageSize: 4096, fileOffset: 0, fd: 5 };

  it("uses low rows first, and a row anew with another state", () => {
    const table = new Table(buffer);
    const first = table.watch(range)!;
    const second = table.watch(range)!;
    assert.deepEqual([words[3], words[16], words[32]], [2, 1, 1]);
    first.release();
    assert.deepEqual([words[16]! % 2, words[3]], [0, 2]);
    const third = table.watch(range)!;
    assert.deepEqual([words[16], words[3], third.marks], [3, 2, 0]);
    words[17] = 1;
    assert.equal(third.marks, 1);
    third.forgetFile();
    assert.equal(words[26], -1);
    second.release();
    third.release();
    assert.equal(table.watch(range)!.marks, 0);
  });

  it("watches so many ranges and no more, over all threads that share it", () => {
    const [one, two] = [new Table(buffer), new Table(buffer)];
    const rows: Row[] = [];
    for (let i = 1; i < MOST_ROWS; i++) rows.push((i % 2 === 0 ? one : two).watch(range)!);
    assert.ok(rows.every((row) => row !== undefined));
    assert.deepEqual([one.watch(range), two.watch(range), words[3]], [
      undefined,
      undefined,
      MOST_ROWS,
    ]);
    rows[7]!.release();
    assert.notEqual(one.watch(range), undefined);
    assert.equal(two.watch(range), undefined);
    munmap(region);
  });
});
