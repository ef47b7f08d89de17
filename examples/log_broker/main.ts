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
const NAMES = ["dir", "port", "host", "advertise", "partitions", "fsync", "segment-bytes"]
  .concat("retention-bytes", "retention-ms", "retention-check-ms")
  .concat("max-batch-bytes", "max-request-bytes");

try {
  await run();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

async function run(): Promise<void> {
  const options = readOptions();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // Deno ignores the options of createServer() for this.
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    socket.once("close", () => sockets.delete(socket));
    const { localAddress: host = options.host, localPort: port = options.port } = socket;
    new Connection(socket, broker, options.advertise ?? { host, port }, options.requestBytes);
  });
  // Reserves the port before it opens the log. Nothing is accepted in between.
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port, options.host, resolve);
  });
  const broker = new Broker(options);
  let stopping = false;
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    process.on(signal, async () => {
      if (stopping) process.exit(code);
      stopping = true;
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
    const strings = Object.fromEntries(NAMES.map((name) => [name, { type: "string" }] as const));
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
    const number = (name: string, fallback: number, least: number, most: number) => {
      const text = given[name];
      if (text === undefined) return fallback;
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      if (value >= least && value <= most) return value;
      throw new Error(`--${name} must be a whole number in ${least}..${most}, not ${text}`);
    };
    return {
      folder,
      host,
      port: number("port", 9092, 0, 65_535),
      advertise: advertise === null ? undefined : { host: advertise[1]!, port: +advertise[2]! },
      partitions: number("partitions", 1, 1, 1000),
      syncAlways: fsync === "always",
      syncMs: fsync === "always" ? MOST_MS : number("fsync", 1000, 1, MOST_MS),
      segmentBytes: number("segment-bytes", 2 ** 28, 4096, MOST_SEGMENT),
      retentionBytes: number("retention-bytes", Infinity, 0, Infinity),
      retentionMs: number("retention-ms", Infinity, 0, Infinity),
      retentionCheckMs: number("retention-check-ms", 60_000, 1, MOST_MS),
      batchBytes: number("max-batch-bytes", 10 * 2 ** 20, 1024, MOST_SEGMENT),
      requestBytes: number("max-request-bytes", 100 * 2 ** 20, 1024, MOST_SEGMENT),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}
