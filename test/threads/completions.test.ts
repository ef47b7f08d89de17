import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { close, fcntl, pipe2, read } from "../../src/sys/raw/mod.ts";
import { RECORD_BYTES, RecordReader, RecordWriter } from "../../src/threads/completions.ts";

const RECORDS: [number, number][] = [[1, 0], [2 ** 32 - 1, -11], [7, 2 ** 40], [8, 0x7ffff000]];
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

function written(records: [number, number][]): Uint8Array {
  const fds = new Int32Array(2);
  assert.equal(pipe2(fds, 0), 0);
  const writer = new RecordWriter(fds[1]!, { parkMs: 1, stopping: () => false });
  for (const [id, result] of records) writer.add(id, result);
  writer.flush();
  const bytes = new Uint8Array(65536);
  const length = read(fds[0]!, bytes);
  fds.forEach((fd) => close(fd));
  return bytes.subarray(0, length);
}

describe("completion records", () => {
  it("are 16 bytes each", () => {
    assert.equal(written(RECORDS).length, RECORDS.length * RECORD_BYTES);
  });

  it("arrive whole, wherever the stream is cut", () => {
    const bytes = written(RECORDS);
    for (let step = 1; step <= bytes.length; step++) {
      const seen: [number, number][] = [];
      const reader = new RecordReader((id, result) => seen.push([id, result]));
      for (let at = 0; at < bytes.length; at += step) reader.feed(bytes.subarray(at, at + step));
      assert.deepEqual(seen, RECORDS, `cut every ${step} bytes`);
    }
  });

  it("are given up when the stream is full and the job must stop", () => {
    const fds = new Int32Array(2);
    pipe2(fds, 0);
    fcntl(fds[1]!, F_SETFL, O_NONBLOCK);
    let asked = 0;
    const writer = new RecordWriter(fds[1]!, { parkMs: 1, stopping: () => ++asked > 3 });
    for (let id = 0; id < 10_000; id++) writer.add(id, 0);
    writer.flush();
    assert.ok(asked > 3);
    fds.forEach((fd) => close(fd));
  });

  it("cannot be written to a closed stream", () => {
    const writer = new RecordWriter(-1, { parkMs: 1, stopping: () => false });
    writer.add(1, 1);
    assert.throws(() => writer.flush(), { code: "EBADF", syscall: "write" });
  });
});
