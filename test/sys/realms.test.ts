import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { DirectFile, MappedFile, sendFile } from "../../src/mod.ts";
import * as sys from "../../src/sys/mod.ts";
import { pattern, withFileAsync } from "../_kit/temp.ts";

/** An array of bytes that is no instance of this realm's `Uint8Array`. */
function foreign(length: number): Uint8Array {
  const bytes = runInNewContext(`new Uint8Array(${length})`) as Uint8Array;
  assert.ok(!(bytes instanceof Uint8Array));
  return bytes;
}

function assertPattern(bytes: Uint8Array): void {
  assert.deepEqual(Uint8Array.from(bytes), pattern(bytes.length));
}

describe("arrays of another realm", () => {
  it("are read into and written from by system calls", () =>
    withFileAsync(pattern(1000), (fd) => {
      for (const length of [7, 1000]) {
        const bytes = foreign(length);
        assert.equal(sys.pread(fd, bytes, 0), length);
        assertPattern(bytes);
        bytes.fill(0);
        assert.equal(sys.preadv2(fd, bytes, 0), length);
        assertPattern(bytes);
        bytes.fill(0);
        assert.equal(sys.preadv2(fd, [bytes.subarray(0, 3), bytes.subarray(3)], 0), length);
        assertPattern(bytes);
        assert.equal(sys.pwrite(fd, bytes, 0), length);
      }
      return Promise.resolve();
    }));

  it("are read into and written from past the page cache", () =>
    withFileAsync(pattern(8192), async (_, path) => {
      const file = await DirectFile.open(path, { access: "write" });
      const bytes = foreign(5000);
      assert.equal(await file.read(bytes, 0), 5000);
      assertPattern(bytes);
      assert.equal(await file.write(bytes, 1), 5000);
      const writer = file.writable({ start: 6000 }).getWriter();
      await writer.write(bytes as Uint8Array<ArrayBuffer>);
      await writer.close();
      await file.close();
      assertPattern(readFileSync(path).subarray(6000));
    }));

  it("are copied into from a mapping", () =>
    withFileAsync(pattern(5000), (_, path) => {
      const map = MappedFile.open(path);
      const bytes = foreign(5000);
      assert.equal(map.readInto(bytes), 5000);
      assertPattern(bytes);
      assert.equal(map.indexOf(bytes.slice(7, 100)), 7);
      map.close();
      return Promise.resolve();
    }));

  it("are sent before and after a file", () =>
    withFileAsync("file", async (_, path) => {
      const bytes = foreign(3).fill(0x2d);
      const server = createServer((socket) => {
        sendFile(socket, path, { header: bytes, trailer: bytes }).then(() => socket.end());
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const client = connect((server.address() as { port: number }).port, "127.0.0.1");
      let text = "";
      client.setEncoding("utf8").on("data", (part: string) => text += part);
      await once(client, "end");
      assert.equal(text, "---file---");
      client.destroy();
      server.close();
    }));
});
