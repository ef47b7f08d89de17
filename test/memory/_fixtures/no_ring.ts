/**
 * Reads and writes past the page cache where a system call that a ring needs is refused:
 * `no_ring.ts CALL ERRNO FILE`, both by number. Prints what did the work as JSON.
 *
 * @module
 */

import process from "node:process";
import { AlignedBuffer, DirectFile } from "../../../src/mod.ts";
import { refuse } from "../_seccomp.ts";

const [call, errno, path] = process.argv.slice(-3) as [string, string, string];
refuse(Number(call), Number(errno));
const file = await DirectFile.open(path, { access: "write" });
const buffer = AlignedBuffer.allocate(65_536);
buffer.bytes.forEach((_, i, bytes) => bytes[i] = i % 251);
await Promise.all(
  Array.from(
    { length: 16 },
    (_, i) => file.write(buffer.bytes.subarray(i * 4096, (i + 1) * 4096), i * 4096),
  ),
);
const copy = new Uint8Array(65_536);
const count = await file.read(copy, 0);
const good = Buffer.compare(copy, buffer.bytes) === 0;
buffer.release();
await file.close();
console.log(JSON.stringify({ engine: file.engine, count, good }));
