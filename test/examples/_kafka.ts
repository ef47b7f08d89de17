/** Speaks to the broker of `examples/log_broker`: by kcat, by kafkajs, and byte by byte. @module */

import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { Frames } from "../../examples/log_broker/connection.ts";
import { crc32c } from "../../examples/log_broker/log/crc32c.ts";
import { Reader, Writer } from "../../examples/log_broker/wire.ts";
import { startServer } from "../_kit/server.ts";
import type { RunningServer } from "../_kit/server.ts";

export const BROKER: URL = new URL("../../examples/log_broker/main.ts", import.meta.url);
/** Reason to skip what needs kcat. */
export const NO_KCAT: string | false = spawnSync("kcat", ["-V"]).error === undefined
  ? false
  : "kcat is not installed";
const KAFKAJS = process.env["SLUICE_TEST_KAFKAJS"];
/** Reason to skip what needs kafkajs. */
export const NO_KAFKAJS: string | false = KAFKAJS === undefined
  ? "SLUICE_TEST_KAFKAJS names no folder"
  : false;
/** For a busy machine; nothing waits this long if all is well. */
const LIFE_MS = 60_000;

/** Starts a broker on a free port. */
export function startBroker(
  folder: string,
  args: readonly string[] = [],
  under: readonly string[] = [],
): Promise<RunningServer> {
  return startServer(BROKER, ["--port", "0", "--dir", folder, ...args], { under });
}

/** A kcat that is running. */
export interface Kcat {
  /** What it has printed. */
  output(): string;
  /** Sends it a line. */
  write(text: string): void;
  /** Ends its input. It keeps the last lines until then. */
  finish(): void;
  kill(signal: NodeJS.Signals): void;
  /** Its output, when it has ended. */
  readonly ended: Promise<string>;
}

/** Starts kcat; without `input`, its input stays open until it is killed. */
export function startKcat({ port }: { port: number }, args: string[], input?: string): Kcat {
  // kcat notices the end of a log by an empty answer.
  const quick = args.includes("-P") ? [] : ["-X", "fetch.wait.max.ms=10"];
  const argv = ["-b", `127.0.0.1:${port}`, ...quick, ...args];
  const child = spawn("kcat", argv, { timeout: LIFE_MS });
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  child.stdin.on("error", () => {});
  if (input !== undefined) child.stdin.end(input);
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject).once("close", (code) => {
      process.off("exit", end);
      if (code === 0 || code === null) resolve(output);
      else reject(new Error(`kcat ${args.join(" ")} failed with ${code}: ${errors}`));
    });
  });
  ended.catch(() => {}); // those who wait for it get the error
  return {
    output: () => output,
    write: (text) => void child.stdin.write(text),
    finish: () => void child.stdin.end(),
    kill(signal) {
      if (child.exitCode === null && child.signalCode === null) process.kill(child.pid!, signal);
    },
    ended,
  };
}

/** Runs kcat to its end. Returns its output. */
export function kcat(server: { port: number }, args: string[], input = ""): Promise<string> {
  return startKcat(server, args, input).ended;
}

/** All values of a topic, in their order. */
export async function consume(server: { port: number }, topic: string): Promise<string[]> {
  const text = await kcat(server, ["-q", "-C", "-e", "-o", "beginning", "-t", topic]);
  return text.split("\n").slice(0, -1);
}

/** kafkajs, as far as the tests use it. */
export interface Kafka {
  producer(options: object): {
    connect(): Promise<void>;
    send(record: object): Promise<unknown>;
    disconnect(): Promise<void>;
  };
  consumer(options: object): {
    connect(): Promise<void>;
    subscribe(options: object): Promise<void>;
    run(options: {
      eachMessage(payload: { message: { value: Uint8Array }; partition: number }): Promise<void>;
    }): Promise<void>;
    disconnect(): Promise<void>;
  };
}

/** A client of kafkajs. */
export function kafkajs({ port }: { port: number }): Kafka {
  process.env["KAFKAJS_NO_PARTITIONER_WARNING"] = "1";
  const { Kafka, logLevel } = createRequire(join(KAFKAJS!, "package.json"))("kafkajs");
  return new Kafka({ brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING });
}

/** A connection that sends any bytes. */
export class Client {
  readonly socket: Socket;
  /** Resolves when the broker has closed it. */
  readonly closed: Promise<void>;
  readonly #waiting: ((frame: Buffer | undefined) => void)[] = [];

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    const frames = new Frames();
    this.socket.on("data", (chunk: Buffer) => {
      for (const frame of frames.push(chunk, 2 ** 30)) this.#waiting.shift()?.(frame);
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) =>
      this.socket.once("close", () => {
        for (const give of this.#waiting) give(undefined);
        resolve();
      })
    );
  }

  /** Sends a request. Returns the response after the correlation id; undefined if it closes. */
  request(
    key: number,
    version: number,
    body: (writer: Writer) => void,
  ): Promise<Reader | undefined> {
    const writer = new Writer().int32(0).int16(key).int16(version).int32(7).string("test");
    body(writer);
    const answer = new Promise<Buffer | undefined>((give) => this.#waiting.push(give));
    this.socket.write(writer.finish());
    return answer.then((frame) => {
      if (frame === undefined) return undefined;
      const reader = new Reader(frame);
      if (reader.int32() !== 7) throw new Error("another correlation id");
      return reader;
    });
  }

  /** Sends one batch. Returns the error code and the offset; undefined if the broker is gone. */
  async produce(topic: string, set: Buffer): Promise<{ code: number; offset: number } | undefined> {
    const response = await this.request(0, 7, (writer) => {
      writer.string(null).int16(-1).int32(1000).array([topic], (name) => {
        writer.string(name).array([set], (set) => writer.int32(0).bytes(set));
      });
    });
    return response?.array(() => {
      response.string();
      return response.array(() => {
        response.int32();
        const [code, offset] = [response.int16(), response.int64()];
        response.int64();
        response.int64();
        return { code, offset };
      })[0]!;
    })[0];
  }

  /** Fetches from one partition. */
  async fetch(
    topic: string,
    offset: number,
    { waitMs = 0, most = 1 << 20 }: { waitMs?: number; most?: number } = {},
  ): Promise<{ code: number; high: number; records: Buffer }> {
    const response = (await this.request(1, 4, (writer) => {
      writer.int32(-1).int32(waitMs).int32(1).int32(most).int8(0).array([topic], (name) => {
        writer.string(name).array([0], (index) => writer.int32(index).int64(offset).int32(most));
      });
    }))!;
    response.int32();
    return response.array(() => {
      response.string();
      return response.array(() => {
        response.int32();
        const [code, high] = [response.int16(), response.int64()];
        response.int64();
        response.int32();
        return { code, high, records: response.bytes() };
      })[0]!;
    })[0]!;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A batch of records without keys; the last three fields make it idempotent. */
export function batch(values: readonly string[], producer = -1, epoch = -1, sequence = -1): Buffer {
  const records = values.map((value, i) => {
    const bytes = Buffer.from(value);
    const body = [0, 0, ...varint(i), ...varint(-1), ...varint(bytes.length), ...bytes, 0];
    return Buffer.from([...varint(body.length), ...body]);
  });
  const body = Buffer.concat([Buffer.alloc(61), ...records]);
  body.writeInt32BE(body.length - 12, 8);
  body[16] = 2;
  body.writeInt32BE(values.length - 1, 23);
  const now = BigInt(Date.now());
  body.writeBigInt64BE(now, 27);
  body.writeBigInt64BE(now, 35);
  body.writeBigInt64BE(BigInt(producer), 43);
  body.writeInt16BE(epoch, 51);
  body.writeInt32BE(sequence, 53);
  body.writeInt32BE(values.length, 57);
  body.writeUInt32BE(crc32c(body, 21, body.length), 17);
  return body;
}

function varint(value: number): number[] {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  const bytes: number[] = [];
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push(rest % 128 + 128);
  return [...bytes, rest];
}

/**
 * Kills the broker `rounds` times while a producer waits for acknowledgements and repeats what was
 * not acknowledged. Returns what is then in the log, and what should be.
 */
export async function killRounds(
  folder: string,
  rounds: number,
): Promise<{ found: string[]; sent: string[] }> {
  const sent: string[] = [];
  let [sequence, unacknowledged] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const server = await startBroker(folder, ["--segment-bytes", "65536"]);
    const client = new Client(server.port);
    let timer: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        if (unacknowledged === 0) {
          unacknowledged = 1 + sent.length % 50;
          for (let i = 0; i < unacknowledged; i++) sent.push(`record ${sent.length}`);
        }
        const set = batch(sent.slice(-unacknowledged), 1, 0, sequence);
        const answer = await client.produce("killed", set);
        if (answer === undefined) break;
        if (answer.code !== 0 || answer.offset !== sequence) {
          throw new Error(`code ${answer.code}, offset ${answer.offset}, sequence ${sequence}`);
        }
        sequence += unacknowledged;
        unacknowledged = 0;
        // Between two system calls of any request, but not before the topic is there.
        timer ??= setTimeout(() => server.kill("SIGKILL"), Math.random() * 80);
      }
    } finally {
      clearTimeout(timer);
      client.close();
      server.kill("SIGKILL");
      await server.ended;
    }
  }
  const server = await startBroker(folder);
  try {
    // The last batch was sent, but perhaps not stored.
    const found = await consume(server, "killed");
    return { found, sent: sent.slice(0, Math.max(sequence, found.length)) };
  } finally {
    server.kill("SIGKILL");
    await server.ended;
  }
}
