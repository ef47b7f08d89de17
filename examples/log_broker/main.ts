/**
 * A durable log that Kafka's clients use unmodified: `node examples/log_broker/main.ts --port 9092
 * --dir DIR`, or with `bun` or `deno run -A`. Topics are made at their first use.
 *
 *     seq 1000 | kcat -b 127.0.0.1:9092 -t numbers -P
 *     kcat -b 127.0.0.1:9092 -t numbers -C -e
 *
 * Shows what made Kafka fast. Batches are stored as they arrive, and read by sendfile(2): a Fetch is
 * a short header and a part of a file, which never enters JavaScript. The index of each file is
 * mapped into memory. `log/` is the log, `requests/` the protocol, `groups/` the consumer groups.
 *
 * @module
 */

import { type AddressInfo, createServer, type Socket } from "node:net";
import process from "node:process";
import { parseArgs } from "node:util";
import { Broker } from "./broker.ts";
import { Connection } from "./connection.ts";

const USAGE = `Usage: main.ts --dir DIR [--port 9092] [--host 127.0.0.1] [options]

  --advertise HOST:PORT   address for clients; default: the one they connected to
  --partitions N          partitions of a new topic; default 1
  --fsync always|MS       sync before each acknowledgement, or every MS milliseconds; default 1000
  --segment-bytes N       size of a segment; default 268435456
  --retention-bytes N     removes the oldest segments beyond this size of a partition
  --retention-ms N        removes segments that were last written this long ago
  --retention-check-ms N  how often it looks; default 60000
  --max-batch-bytes N     largest batch; default 10485760
  --max-request-bytes N   largest request; default 104857600
  --help                  prints this`;

/** After this time without a word, the kernel asks whether a client is still there. */
const KEEP_ALIVE_MS = 60_000;
/** The largest interval of a timer. */
const MOST_MS = 2 ** 31 - 1;
/** Positions in an index have 32 bits. */
const MOST_SEGMENT = 2 ** 31;
/** Options that are numbers: the default, the least and the most. */
const NUMBERS = {
  port: [9092, 0, 65_535],
  partitions: [1, 1, 1000],
  segmentBytes: [2 ** 28, 4096, MOST_SEGMENT],
  retentionBytes: [Infinity, 0, Infinity],
  retentionMs: [Infinity, 0, Infinity],
  retentionCheckMs: [60_000, 1, MOST_MS],
  maxBatchBytes: [10 * 2 ** 20, 1024, MOST_SEGMENT],
  maxRequestBytes: [100 * 2 ** 20, 1024, MOST_SEGMENT],
} as const;

await run().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});

async function run(): Promise<void> {
  const options = readOptions();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // Deno ignores the options of createServer() for this.
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    socket.once("close", () => sockets.delete(socket));
    const { localAddress: host = options.host, localPort: port = options.port } = socket;
    new Connection(socket, broker, options.advertise ?? { host, port }, options.maxRequestBytes);
  });
  // Reserves the port before it opens the log. Nothing is accepted in between.
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port, options.host, resolve);
  });
  const broker = new Broker(options);
  // A second signal ends the process at once.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await broker.close();
      process.exit(0);
    });
  }
  const { port } = server.address() as AddressInfo;
  console.log(`Serving the log in ${options.folder} at tcp://${options.host}:${port}`);
}

function readOptions() {
  try {
    const names = ["dir", "host", "advertise", "fsync", ...Object.keys(NUMBERS).map(flagOf)];
    const strings = Object.fromEntries(names.map((name) => [name, { type: "string" }] as const));
    const { values } = parseArgs({ options: { ...strings, help: { type: "boolean" } } });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const given = values as Record<string, string>;
    const { dir: folder, host = "127.0.0.1", advertise: address, fsync = "1000" } = given;
    if (!folder) throw new Error("--dir is missing");
    const advertise = /^(.+):(\d{1,5})$/.exec(address ?? "");
    if (address !== undefined && !(Number(advertise?.[2]) <= 65_535)) {
      throw new Error(`--advertise must be HOST:PORT, not ${address}`);
    }
    const number = (flag: string, [fallback, least, most]: readonly [number, number, number]) => {
      const text = given[flag];
      const value = text === undefined ? fallback : /^\d+$/.test(text) ? Number(text) : NaN;
      if (value >= least && value <= most) return value;
      throw new Error(`--${flag} must be a whole number in ${least}..${most}, not ${text}`);
    };
    const numbers = Object.entries(NUMBERS)
      .map(([name, limits]) => [name, number(flagOf(name), limits)]);
    return {
      folder,
      host,
      advertise: advertise === null ? undefined : { host: advertise[1]!, port: +advertise[2]! },
      syncAlways: fsync === "always",
      syncMs: fsync === "always" ? MOST_MS : number("fsync", [1000, 1, MOST_MS]),
      ...Object.fromEntries(numbers) as Record<keyof typeof NUMBERS, number>,
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** The option of a setting: "max-batch-bytes" for "maxBatchBytes". */
function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
