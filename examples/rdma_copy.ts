/**
 * Copies a file to another machine by RDMA, over librdmacm's rsockets. Run it with node, bun or
 * `deno run -A`:
 *
 *     node examples/rdma_copy.ts serve ADDRESS FOLDER            receives files into FOLDER
 *     node examples/rdma_copy.ts send FILE ADDRESS [--map]       sends one
 *     node examples/rdma_copy.ts --help
 *
 * Without `--map` the file goes through the connection by rsend(). With it, the receiver opens two
 * pieces of its memory to the sender by riomap(), and the sender stores the file there by riowrite():
 * the receiver's processor moves no byte, and two short messages say which piece is full and which is
 * free. In both ways the file is mapped, and librdmacm copies it once, into memory that the device
 * reads. The receiver compares SHA-256 before the file gets its name.
 *
 * ADDRESS is one of an RDMA device. Linux's soft-RoCE makes a device of any network interface. Without
 * librdmacm or a device, the example says what to install and exits with 2. Anyone who reaches the
 * receiver may send it files. Needs foreign calls.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { isIP } from "node:net";
import { basename, join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { MappedFile, MappedMemory } from "../src/mod.ts";
import { progressLine } from "./direct_backup/progress_line.ts";
import { loadRdma, NoRdmaError, type Rdma, RdmaSocket } from "./rdma_copy/rsocket.ts";

const HELP = `Usage: rdma_copy serve ADDRESS FOLDER [--port P]
       rdma_copy send FILE ADDRESS [--port P] [--map]

  --port P    port of the receiver (default: 7471)
  --map       store the file into the receiver's memory (riomap, riowrite)`;

/** Bytes of one step, and of one piece of memory. */
const STEP = 1 << 20;
/** Steps on their way: the receiver writes one to the disk while the other arrives. */
const STEPS = 2;

/** The parsed command line. */
interface Settings {
  readonly role: "serve" | "send";
  readonly address: string;
  readonly path: string;
  readonly port: number;
  readonly map: boolean;
}

/** First message of the sender. */
interface Offer {
  readonly name: string;
  readonly size: number;
  readonly map: boolean;
}

const controller = new AbortController();
let exitCode = 1;
for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.once(signal, () => {
    exitCode = code;
    controller.abort(new Error("Interrupted"));
  });
}
const settings = parse();
try {
  const rdma = loadRdma(controller.signal);
  await (settings.role === "serve" ? serve : send)(rdma, settings);
  exitCode = 0;
} catch (error) {
  console.error((error as Error).message);
  if (error instanceof NoRdmaError) exitCode = 2;
}
process.exit(exitCode);

function parse(): Settings {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        port: { type: "string", default: "7471" },
        map: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const [role, first = "", second = "", ...others] = positionals;
    if ((role !== "serve" && role !== "send") || second === "" || others.length > 0) {
      throw new Error("One of the two commands is needed, with two arguments");
    }
    const [address, path] = role === "serve" ? [first, second] : [second, first];
    if (isIP(address) === 0) throw new Error(`Not a numeric address: "${address}"`);
    const port = Number(values.port);
    if (!(Number.isInteger(port) && port > 0 && port <= 65_535)) {
      throw new Error(`Not a port: "${values.port}"`);
    }
    return { role, address, path, port, map: values.map };
  } catch (error) {
    console.error(`${(error as Error).message}\n${HELP}`);
    process.exit(2);
  }
}

async function send(rdma: Rdma, { address, path, port, map }: Settings): Promise<void> {
  const file = MappedFile.open(path);
  const socket = RdmaSocket.connect(rdma, address, port);
  const progress = progressLine(process.stderr);
  try {
    const startMs = performance.now();
    await socket.tell({ name: basename(path), size: file.length, map } satisfies Offer);
    const { at } = await answer(socket);
    const hash = createHash("sha256");
    let waiting = 0;
    for (let from = 0, step = 0; from < file.length; from += STEP, step++) {
      // The first answer that is due; an error may come earlier.
      while (waiting === STEPS || (waiting > 0 && socket.readable)) {
        await answer(socket);
        waiting--;
      }
      const bytes = file.view(from, Math.min(STEP, file.length - from));
      if (map) {
        await socket.put(bytes, Number(at) + (step % STEPS) * STEP);
        await socket.tell({ stored: bytes.length });
      } else await socket.send(bytes);
      hash.update(bytes);
      waiting++;
      progress.show(from + bytes.length, file.length);
      await setImmediate();
      rdma.signal.throwIfAborted();
    }
    for (; waiting > 0; waiting--) await answer(socket);
    // Bytes that are missing were read as zeroes.
    if (file.truncated || statSync(path).size < file.length) {
      throw new Error(`${path} was truncated`);
    }
    const sha256 = hash.digest("hex");
    await socket.tell({ sha256 });
    await answer(socket);
    const seconds = (performance.now() - startMs) / 1e3;
    progress.end();
    console.log(
      `${file.length} bytes by ${map ? "riowrite" : "rsend"} in ${seconds.toFixed(2)} s, ` +
        `${(file.length / 1e6 / seconds).toFixed(0)} MB/s, sha256 ${sha256}`,
    );
  } finally {
    socket.close();
    file.close();
  }
}

/** The receiver's next message. */
async function answer(socket: RdmaSocket): Promise<Record<string, unknown>> {
  const message = await socket.hear();
  if (message["error"] !== undefined) throw new Error(`The receiver: ${message["error"]}`);
  return message;
}

/** Takes one sender after the other, until a signal comes. */
async function serve(rdma: Rdma, { address, path, port }: Settings): Promise<void> {
  mkdirSync(path, { recursive: true });
  removeLeftovers(path);
  const memory = MappedMemory.allocate(STEPS * STEP, { shared: false });
  const listener = RdmaSocket.listen(rdma, address, port);
  console.log(JSON.stringify({ address, port }));
  try {
    while (true) await takeOne(await listener.accept(), path, memory.bytes, rdma.signal);
  } finally {
    listener.close();
  }
}

/** Removes the partial files of receivers that were killed. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /\.(\d+)\.partial$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(folder, name));
  }
}

/** Receives from one sender; what goes wrong concerns this sender only. */
async function takeOne(
  socket: RdmaSocket,
  folder: string,
  memory: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  try {
    console.log(await receive(socket, folder, memory, signal));
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    console.error(`Cannot receive a file: ${message}`);
    // The sender reads the answer after what it has begun to send; it may have gone, too.
    await socket.tell({ error: code ?? message }).then(() => socket.receive(memory)).catch(
      () => {},
    );
  } finally {
    socket.unmap(memory);
    socket.close();
  }
}

/** Receives a file, and returns what to say about it. */
async function receive(
  socket: RdmaSocket,
  folder: string,
  memory: Uint8Array,
  signal: AbortSignal,
): Promise<string> {
  const { name, size, map } = offer(await socket.hear());
  const target = join(folder, name);
  if (existsSync(target)) throw new Error(`There is a file ${name} already`);
  const partial = `${target}.${process.pid}.partial`;
  const fd = openSync(partial, "wx", 0o600);
  try {
    await socket.tell({ at: map ? socket.map(memory) : 0 });
    const hash = createHash("sha256");
    for (let from = 0, step = 0; from < size; from += STEP, step++) {
      const at = (step % STEPS) * STEP;
      const bytes = memory.subarray(at, at + Math.min(STEP, size - from));
      await (map ? socket.hear() : socket.receive(bytes));
      hash.update(bytes);
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      await socket.tell({ written: from + bytes.length });
      await setImmediate();
      signal.throwIfAborted();
    }
    const { sha256 } = await socket.hear();
    if (sha256 !== hash.digest("hex")) throw new Error(`${name} has arrived with other bytes`);
    linkSync(partial, target); // fails if the name is taken
    await socket.tell({ done: size });
    return `${name}: ${size} bytes, ${map ? "stored by the sender" : "received"}, sha256 ${sha256}`;
  } finally {
    closeSync(fd);
    rmSync(partial);
  }
}

/** Checks the sender's first message. */
function offer(message: Record<string, unknown>): Offer {
  const { name, size, map } = message;
  if (typeof name !== "string" || !/^[^./\0][^/\0]{0,199}$/.test(name)) {
    throw new Error(`Not a name for a file: ${JSON.stringify(name)}`);
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw new Error(`Not a size: ${JSON.stringify(size)}`);
  }
  return { name, size, map: map === true };
}
