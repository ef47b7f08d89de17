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

import { createServer, type Socket } from "node:net";
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
  --max-request-bytes N   largest request; default 104857600`;

/** As with Kafka. */
const IDLE_MS = 10 * 60_000;
/** The largest interval of a timer. */
const MOST_MS = 2 ** 31 - 1;
/** Positions in an index have 32 bits. */
const MOST_SEGMENT = 2 ** 31;

try {
  await run();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

async function run(): Promise<void> {
  const options = readOptions();
  if (options === undefined) {
    console.error(USAGE);
    process.exit(2);
  }
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A peer that died without a word. Clients send something every few minutes.
    socket.setTimeout(IDLE_MS, () => socket.destroy());
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
  const { port } = server.address() as { port: number };
  console.log(`Serving the log in ${options.folder} at tcp://${options.host}:${port}`);
}

function readOptions() {
  const string = { type: "string" } as const;
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        dir: string,
        port: { ...string, default: "9092" },
        host: { ...string, default: "127.0.0.1" },
        advertise: string,
        partitions: { ...string, default: "1" },
        fsync: { ...string, default: "1000" },
        "segment-bytes": { ...string, default: "268435456" },
        "retention-bytes": string,
        "retention-ms": string,
        "retention-check-ms": { ...string, default: "60000" },
        "max-batch-bytes": { ...string, default: "10485760" },
        "max-request-bytes": { ...string, default: "104857600" },
      },
    }));
    if (values.dir === undefined) throw new Error("--dir is missing");
    const advertise = /^(.+):(\d+)$/.exec(values.advertise ?? "");
    if (values.advertise !== undefined && advertise === null) {
      throw new Error(`--advertise must be HOST:PORT, not ${values.advertise}`);
    }
    const syncAlways = values.fsync === "always";
    return {
      folder: values.dir,
      host: values.host,
      port: number("port", values.port, 0, 65535),
      advertise: advertise === null ? undefined : { host: advertise[1]!, port: +advertise[2]! },
      partitions: number("partitions", values.partitions, 1, 1000),
      syncAlways,
      syncMs: syncAlways ? MOST_MS : number("fsync", values.fsync, 1, MOST_MS),
      segmentBytes: number("segment-bytes", values["segment-bytes"], 4096, MOST_SEGMENT),
      retentionBytes: number("retention-bytes", values["retention-bytes"], 0, Infinity),
      retentionMs: number("retention-ms", values["retention-ms"], 0, Infinity),
      retentionCheckMs: number("retention-check-ms", values["retention-check-ms"], 1, MOST_MS),
      batchBytes: number("max-batch-bytes", values["max-batch-bytes"], 1024, MOST_SEGMENT),
      requestBytes: number("max-request-bytes", values["max-request-bytes"], 1024, MOST_SEGMENT),
    };
  } catch (error) {
    console.error((error as Error).message);
    return undefined;
  }
}

/** A missing limit is infinite. */
function number(name: string, text: string | undefined, least: number, most: number): number {
  if (text === undefined) return Infinity;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new Error(`--${name} must be a whole number in ${least}..${most}, not ${text}`);
  }
  return value;
}
