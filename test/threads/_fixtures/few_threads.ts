/**
 * Says `ready`, and does `WHAT` each time it reads a line; says how that ended, as JSON. Meanwhile the
 * system may make no more threads.
 *
 * @module
 */

import { mkdtempSync, promises, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { createFileServer } from "../../../src/http/mod.ts";
import { copyFile, DirectFile, Pipe, transfer } from "../../../src/mod.ts";

const [what] = process.argv.slice(-1) as [string];
const folder = mkdtempSync(join(tmpdir(), "sluice-few-"));
const source = join(folder, "source");
const bytes = new Uint8Array(3_000_000).fill(7);
writeFileSync(source, bytes);

let file: DirectFile | undefined;

const WAYS: Record<string, () => Promise<string>> = {
  async copyFile() {
    await copyFile(source, join(folder, "target"));
    return readFileSync(join(folder, "target")).equals(bytes) ? "whole" : "damaged";
  },
  async open() {
    process.env["SLUICE_RING"] = "off";
    const opened = await DirectFile.open(source);
    try {
      const read = new Uint8Array(4096);
      if (await opened.read(read, 0) !== 4096 || read.some((byte) => byte !== 7)) return "damaged";
      return opened.engine === "threads" ? "whole" : opened.engine;
    } finally {
      await opened.close();
    }
  },
  async wait() {
    const pipe = new Pipe();
    const target = new Pipe();
    try {
      const moving = transfer(pipe.readFd, target.writeFd);
      setTimeout(() => pipe.closeWrite(), 20);
      await moving;
      return "whole";
    } finally {
      pipe.close();
      target.close();
    }
  },
  async server() {
    const server = createFileServer({ root: folder });
    await server.listen();
    await server.close({ graceMs: 0 });
    return server.native ? "whole" : "portable";
  },
  // Its first thread runs already; others would only help.
  async direct() {
    const buffers = Array.from({ length: 12 }, () => new Uint8Array(250_000));
    await Promise.all(buffers.map((buffer, i) => file!.read(buffer, i * buffer.length)));
    return buffers.every((buffer) => buffer.every((byte) => byte === 7)) ? "whole" : "damaged";
  },
};

// The threads that the runtime itself needs.
await Promise.all(Array.from({ length: 16 }, () => promises.readFile(source)));
if (what === "direct") {
  process.env["SLUICE_RING"] = "off";
  file = await DirectFile.open(source);
  await file.read(new Uint8Array(4096), 0);
}
console.log("ready");
for await (const _ of createInterface({ input: process.stdin })) {
  const end = await WAYS[what]!().catch(({ code, message }) => `${code}: ${message}`);
  console.log(JSON.stringify(end));
}
await file?.close();
rmSync(folder, { recursive: true });
process.exit(0);
