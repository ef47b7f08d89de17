import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { requestText } from "../_kit/raw_http.ts";
import { startServer } from "../_kit/server.ts";

const FILE_SERVER = new URL("../../examples/file_server.ts", import.meta.url);
const GIB = 2 ** 30;
const SIZE = 5 * GIB;
const folder = mkdtempSync(join(tmpdir(), "sluice-"));

after(() => rmSync(folder, { recursive: true }));

/** Hashes a body of any length as it comes. */
function download(port: number, target: string): Promise<{ bytes: number; sha256: string }> {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    let head = "";
    let bytes = 0;
    const socket = connect({ port, host: "127.0.0.1" });
    const take = (chunk: Uint8Array) => {
      hash.update(chunk);
      bytes += chunk.length;
    };
    socket.on("data", (chunk: Buffer) => {
      if (head.endsWith("\r\n\r\n")) return take(chunk);
      const begun = head.length;
      const text = head + chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      head = end < 0 ? text : text.slice(0, end + 4);
      take(chunk.subarray(head.length - begun));
    });
    socket.on("error", reject);
    socket.on("close", () => resolve({ bytes, sha256: hash.digest("hex") }));
    socket.write(requestText(target, { Connection: "close" }));
  });
}

describe("file server", () => {
  it("sends 5 GiB unchanged", async () => {
    const path = join(folder, "large.bin");
    const fd = openSync(path, "w");
    truncateSync(path, SIZE);
    for (const mark of [0, 2 ** 31 - 4, 3 * GIB + 1, 2 ** 32 - 4, SIZE - 8]) {
      writeSync(fd, Buffer.from(String(mark).slice(-8)), 0, undefined, mark);
    }
    closeSync(fd);
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      hash.update(chunk);
    }
    const server = await startServer(FILE_SERVER, [folder, "--port", "0"]);
    try {
      const received = await download(server.port, "/large.bin");
      assert.deepEqual(received, { bytes: SIZE, sha256: hash.digest("hex") });
      await server.printed(/200 GET \/large\.bin 5368709120 B sendfile/);
    } finally {
      server.kill("SIGTERM");
      assert.equal(await server.ended, 0);
    }
  });
});
