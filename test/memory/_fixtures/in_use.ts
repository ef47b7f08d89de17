/**
 * Closes a mapping while the runtime is using its memory, in the way that the argument names, and
 * goes on. The last thing that it prints is "alive".
 *
 * @module
 */

import { createHash, pbkdf2, randomFill } from "node:crypto";
import { closeSync, mkdtempSync, openSync, read, rmSync, write, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { brotliCompress, gzip } from "node:zlib";
import { MappedFile } from "../../../src/mod.ts";

const SIZE = 12 * 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");
writeFileSync(path, new Uint8Array(SIZE).fill(65));
const scratch = openSync(join(folder, "scratch"), "w+");

// Errors of an operation about lost input don't matter.
const settle = (done: () => void): () => void => () => done();
process.on("uncaughtException", (error) => console.log(`uncaught ${error.message}`));
process.on("unhandledRejection", (error) => console.log(`unhandled ${error}`));

const { compile } = (globalThis as unknown as {
  WebAssembly: { compile(bytes: Uint8Array): Promise<unknown> };
}).WebAssembly;

/** Starts an operation; resolves when it has ended. */
const USES: Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown> = {
  gzip: (bytes) => gzip(bytes, () => {}),
  brotli: (bytes) => brotliCompress(bytes.subarray(0, 2 ** 20), () => {}),
  write: (bytes) => new Promise<void>((done) => write(scratch, bytes, settle(done))),
  read: (bytes) =>
    new Promise<void>((done) => {
      const source = openSync(path, "r");
      read(source, bytes, 0, SIZE, 0, () => {
        closeSync(source);
        done();
      });
    }),
  async handle(bytes) {
    const file = await open(join(folder, "other"), "w+");
    const pending = file.write(bytes).catch(() => {});
    return pending.then(() => file.close());
  },
  pbkdf2: (bytes) =>
    new Promise<void>((done) => pbkdf2(bytes, bytes, 1000, 32, "sha256", settle(done))),
  randomFill: (bytes) => new Promise<void>((done) => randomFill(bytes, settle(done))),
  digest: (bytes) => crypto.subtle.digest("SHA-256", bytes).catch(() => {}),
  hash: (bytes) => createHash("sha256").update(bytes.subarray(0, 100)),
  compile: (bytes) => compile(bytes).catch(() => {}),
  socket: (bytes) =>
    new Promise<void>((done) => {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", () => {});
        socket.on("close", () => {
          server.close();
          done();
        });
      }).listen(0, "127.0.0.1", () => {
        const { port } = server.address() as { port: number };
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.end(bytes);
      });
    }),
  worker: (bytes) =>
    new Promise<void>((done) => {
      // Takes the buffer with it, and reads it while this thread closes the mapping.
      const code = `import { parentPort, workerData } from "node:worker_threads";
        const bytes = new Uint8Array(workerData);
        let sum = 0;
        for (let round = 0; round < 3; round++) for (const byte of bytes) sum += byte;
        parentPort.postMessage(sum);`;
      const worker = new Worker(
        new URL(`data:text/javascript,${encodeURIComponent(code)}`),
        { workerData: bytes.buffer, transferList: [bytes.buffer] },
      );
      worker.on("message", () => void worker.terminate().then(() => done()));
      worker.on("error", (error) => {
        console.log(String(error));
        done();
      });
    }),
};

const use = USES[process.argv[2]!]!;
const access = process.argv[3] as "read" | "write" | "copy-on-write";
const watchdog = setTimeout(() => process.exit(3), 30_000);
watchdog.unref();
for (let round = 0; round < 3; round++) {
  const map = MappedFile.open(path, { access });
  const { bytes } = map;
  const pending = Promise.resolve(use(bytes));
  if (round > 0) await sleep(round * 3);
  map.close();
  // Another mapping, at the addresses that would be free if they had been returned.
  const other = MappedFile.open(path, { access: "write" });
  other.bytes.fill(65);
  // Some operations that lose their input never end.
  await Promise.race([pending, sleep(1000)]);
  if (!Buffer.alloc(SIZE, 65).equals(other.bytes)) throw new Error("another mapping was changed");
  other.close();
}
await sleep(50);
console.log("alive");
closeSync(scratch);
rmSync(folder, { recursive: true });
process.exit(0);
