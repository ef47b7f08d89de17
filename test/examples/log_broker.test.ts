import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { crc32c } from "../../examples/log_broker/log/crc32c.ts";
import { runChild } from "../_kit/child.ts";
import { until } from "../_kit/peer.ts";
import type { RunningServer } from "../_kit/server.ts";
import {
  batch,
  BROKER,
  Client,
  consume,
  kafkajs,
  kcat,
  killRounds,
  NO_KAFKAJS,
  NO_KCAT,
  startBroker,
  startKcat,
} from "./_kafka.ts";

/** SIGXFSZ ends Deno before the call fails. */
const NO_LIMIT = "Deno" in globalThis
  ? "Deno does not survive a limit for files"
  : spawnSync("prlimit", ["--version"]).error === undefined
  ? false
  : "prlimit is not installed";
const PRODUCE = 0;
const METADATA = 3;
const OFFSET_COMMIT = 8;
const OFFSET_FETCH = 9;
const JOIN_GROUP = 11;
const HEARTBEAT = 12;
const SYNC_GROUP = 14;
const API_VERSIONS = 18;

let folder: string;
let server: RunningServer;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-"));
  server = await startBroker(join(folder, "log"), ["--partitions", "4"]);
});

after(async () => {
  server?.kill("SIGKILL");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `body` with a client; closes it. */
async function withClient<T>(body: (client: Client) => Promise<T>, at = server): Promise<T> {
  const client = new Client(at.port);
  try {
    return await body(client);
  } finally {
    client.close();
  }
}

/** Runs `body` with a broker of its own. */
async function withBroker<T>(
  name: string,
  args: string[],
  body: (server: RunningServer) => Promise<T>,
): Promise<T> {
  const own = await startBroker(join(folder, name), args);
  try {
    return await body(own);
  } finally {
    own.kill("SIGKILL");
    await own.ended;
  }
}

/** The files of a log from which 3,000 records have been removed. */
const EMPTY_LOG = ["entries", "log", "producers"].map((name) => `00000000000000003000.${name}`);

const lines = (count: number, prefix = ""): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const text = (values: readonly string[]): string => values.map((value) => `${value}\n`).join("");

describe("log broker: kcat", { skip: NO_KCAT }, () => {
  const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
  for (const [number, codec] of codecs.entries()) {
    it(`stores batches as they arrive: ${codec}`, async () => {
      const [topic, values] = [`codec-${codec}`, lines(2000, "a record ")];
      // librdkafka leaves a batch that compression does not shrink, such as a very small first one.
      const args = ["-P", "-t", topic, "-p", "0", "-z", codec, "-X", "linger.ms=100"];
      await kcat(server, args, text(values));
      const log = readFileSync(join(folder, "log/topics", topic, "0/00000000000000000000.log"));
      const codecs = new Set<number>();
      for (let at = 0; at < log.length; at += 12 + log.readInt32BE(at + 8)) {
        codecs.add(log.readInt16BE(at + 21) & 7);
      }
      assert.ok(codecs.has(number), `codecs ${[...codecs]}`);
      assert.deepEqual(await consume(server, topic), values);
    });
  }

  it("stores what idempotent producers send", async () => {
    const values = lines(5000);
    const args = ["-P", "-t", "idempotent", "-p", "0", "-X", "enable.idempotence=true"];
    await kcat(server, [...args, "-X", "batch.num.messages=100"], text(values));
    assert.deepEqual(await consume(server, "idempotent"), values);
  });

  it("finds offsets by time", async () => {
    await kcat(server, ["-P", "-t", "times", "-p", "0"], "old\n");
    const now = Date.now() + 1;
    await until(() => Date.now() > now, "a millisecond passes");
    await kcat(server, ["-P", "-t", "times", "-p", "0"], "new\n");
    const args = ["-q", "-C", "-e", "-t", "times", "-p", "0", "-o", `s@${now}`];
    assert.equal(await kcat(server, args), "new\n");
  });

  it("moves a log to another broker, complete and in order", async () => {
    const values = lines(3000, "key\tvalue ");
    await kcat(server, ["-P", "-t", "moved", "-p", "2", "-K", "\t"], text(values));
    await withBroker("second", [], async (second) => {
      const read = ["-q", "-C", "-e", "-t", "moved", "-p", "2", "-K", "\t"];
      await kcat(second, ["-P", "-t", "moved", "-K", "\t"], await kcat(server, read));
      assert.equal(await kcat(second, ["-q", "-C", "-e", "-t", "moved", "-K", "\t"]), text(values));
    });
  });

  it("divides partitions among members that join, leave and die while records flow", async () => {
    const session = ["-X", "session.timeout.ms=1000", "-X", "heartbeat.interval.ms=100"];
    const args = ["-q", "-u", "-G", "changing", ...session, "-f", "%p %o %s\n"];
    args.push("-X", "auto.offset.reset=earliest", "flow");
    // Makes the topic. A consumer would look for it again after minutes.
    await withClient((client) => client.produce("flow", batch(["first"])));
    const producer = startKcat(server, ["-P", "-t", "flow", "-X", "linger.ms=5"]);
    const members = [startKcat(server, args)];
    let sent = 0;
    const flow = setInterval(() => producer.write(text([String(sent++), String(sent++)])), 5);
    const reads = (index: number) => {
      const had = members[index]!.output().length;
      return until(() => members[index]!.output().length > had, `member ${index} reads`);
    };
    try {
      await reads(0);
      members.push(startKcat(server, args), startKcat(server, args));
      await Promise.all([reads(0), reads(1), reads(2)]);
      members[0]!.kill("SIGTERM");
      await members[0]!.ended;
      await Promise.all([reads(1), reads(2)]);
      members[1]!.kill("SIGKILL");
      await members[1]!.ended;
      // The rest goes to the last member once the session of the dead one is over.
      const all = () =>
        new Set(members.flatMap((each) => each.output().match(/(?<= )\d+$/gm) ?? []));
      const last = sent;
      clearInterval(flow);
      producer.finish();
      await until(() => all().size >= last, "all records are read");
      for (const member of members) {
        const next = new Map<string, number>();
        for (const line of member.output().split("\n").slice(0, -1)) {
          const [partition, offset] = line.split(" ") as [string, string];
          // A member that loses a partition and gets it back may read a part again.
          if (member === members[2]) continue;
          assert.ok(Number(offset) >= (next.get(partition) ?? 0), line);
          next.set(partition, Number(offset) + 1);
        }
      }
    } finally {
      clearInterval(flow);
      for (const each of [producer, ...members]) each.kill("SIGKILL");
      await Promise.all([producer, ...members].map(({ ended }) => ended.catch(() => {})));
    }
  });

  it("keeps offsets and cuts a torn tail after a kill", async () => {
    const [first, second] = [lines(500, "first "), lines(500, "second ")];
    const group = ["-q", "-G", "kept", "-e", "-X", "auto.offset.reset=earliest", "torn"];
    const log = join(folder, "torn/topics/torn/0/00000000000000000000.log");
    await withBroker("torn", ["--fsync", "always"], async (own) => {
      await kcat(own, ["-P", "-t", "torn"], text(first));
      assert.equal(await kcat(own, group), text(first));
    });
    const { size } = statSync(log);
    // Half of a batch that would continue the log, as a kill leaves it.
    const torn = batch(lines(100));
    torn.writeBigInt64BE(500n, 0);
    appendFileSync(log, torn.subarray(0, torn.length - 5));
    appendFileSync(join(folder, "torn/commits.jsonl"), '["kept",[{"topic":"torn","ind');
    await withBroker("torn", [], async (own) => {
      assert.equal(statSync(log).size, size);
      await kcat(own, ["-P", "-t", "torn"], text(second));
      assert.equal(await kcat(own, group), text(second));
      assert.deepEqual(await consume(own, "torn"), [...first, ...second]);
    });
  });

  it("removes the oldest segments, and says that their offsets are gone", async () => {
    const limits = ["--segment-bytes", "4096", "--retention-bytes", "8192"];
    await withBroker("short", [...limits, "--retention-check-ms", "50"], async (own) => {
      const values = lines(3000);
      await kcat(own, ["-P", "-t", "short", "-X", "batch.num.messages=100"], text(values));
      const files = () => readdirSync(join(folder, "short/topics/short/0"));
      await until(() => files().filter((name) => name.endsWith(".log")).length <= 4, "removed");
      const found = await consume(own, "short");
      assert.ok(found.length > 0 && found.length < 3000, `${found.length} left`);
      assert.deepEqual(found, values.slice(-found.length));
      const { code } = await withClient((client) => client.fetch("short", 0), own);
      assert.equal(code, 1);
    });
    const age = ["--retention-ms", "100", "--retention-check-ms", "20"];
    await withBroker("short", age, async (own) => {
      const files = () => readdirSync(join(folder, "short/topics/short/0"));
      await until(() => files().sort().join() === EMPTY_LOG.join(), "all removed");
      assert.deepEqual(await consume(own, "short"), []);
      await kcat(own, ["-P", "-t", "short"], "next\n");
      const { high } = await withClient((client) => client.fetch("short", 3001), own);
      assert.equal(high, 3001);
    });
  });

  it("loses and repeats nothing when it is killed", async () => {
    const { found, sent } = await killRounds(join(folder, "killed"), 2);
    assert.deepEqual(found, sent);
  });

  it("answers a full disk by the protocol's error, and goes on", { skip: NO_LIMIT }, async () => {
    // A limit for files fails in the same way, and needs no file system of its own.
    const under = ["prlimit", "--fsize=200000:"];
    const args = ["--segment-bytes", "1000000"];
    const own = await startBroker(join(folder, "full"), args, under);
    const values = lines(400, "x".repeat(100));
    try {
      const stored = await withClient(async (client) => {
        for (let count = 0;; count++) {
          const { code, offset } = (await client.produce("full", batch(values)))!;
          if (code !== 0) {
            assert.equal(code, 56);
            return count;
          }
          assert.equal(offset, count * 400);
        }
      }, own);
      assert.equal(stored, 4);
      assert.equal((await consume(own, "full")).length, 1600);
      execFileSync("prlimit", ["--pid", String(own.pid), "--fsize=unlimited:"]);
      await kcat(own, ["-P", "-t", "full"], text(values));
      assert.deepEqual((await consume(own, "full")).slice(1600), values);
    } finally {
      own.kill("SIGKILL");
      await own.ended;
    }
  });
});

describe("log broker: kafkajs", { skip: NO_KAFKAJS }, () => {
  it("serves an idempotent producer, and a group of two members", async () => {
    const client = kafkajs(server);
    const producer = client.producer({ idempotent: true });
    await producer.connect();
    const values = lines(500, "value ");
    for (let i = 0; i < 5; i++) {
      const messages = values.slice(100 * i, 100 * i + 100)
        .map((value) => ({ key: value, value }));
      await producer.send({ topic: "kafkajs", compression: i % 2, messages });
    }
    await producer.disconnect();
    const members = [0, 1].map(() =>
      client.consumer({ groupId: "kafkajs", maxWaitTimeInMs: 50, heartbeatInterval: 100 })
    );
    const [found, partitions] = [new Set<string>(), members.map(() => new Set<number>())];
    try {
      await Promise.all(members.map(async (member, i) => {
        await member.connect();
        await member.subscribe({ topic: "kafkajs", fromBeginning: true });
        await member.run({
          eachMessage({ message, partition }) {
            found.add(Buffer.from(message.value).toString());
            partitions[i]!.add(partition);
            return Promise.resolve();
          },
        });
      }));
      await until(() => found.size === 500, "all records are read");
      assert.deepEqual([...found].sort(), values.sort());
      assert.deepEqual(partitions.map(({ size }) => size), [2, 2]);
    } finally {
      await Promise.all(members.map((member) => member.disconnect()));
    }
  });
});

describe("log broker: protocol", () => {
  it("waits for records, and no longer than asked", async () => {
    await withClient(async (client) => {
      await client.produce("waits", batch(["first"]));
      const started = Date.now();
      assert.equal((await client.fetch("waits", 1, { waitMs: 100 })).records.length, 0);
      assert.ok(Date.now() - started >= 99);
      const late = client.fetch("waits", 1, { waitMs: 60_000 });
      await withClient((other) => other.produce("waits", batch(["second"])));
      const { records, high } = await late;
      assert.deepEqual([records.includes("second"), high], [true, 2]);
    });
  });

  it("returns one batch at least, and whole batches", async () => {
    await withClient(async (client) => {
      const sets = Array.from({ length: 20 }, (_, i) => batch(lines(50, `batch ${i} `)));
      for (const set of sets) await client.produce("limits", set);
      const { records } = await client.fetch("limits", 0, { most: 10 });
      assert.ok(records.length >= sets[0]!.length);
      for (const offset of [0, 49, 50, 525, 999]) {
        const { records } = await client.fetch("limits", offset, { most: 5000 });
        const base = Number(records.readBigInt64BE(0));
        assert.ok(base <= offset && offset < base + 50, `${base} for ${offset}`);
      }
      assert.equal((await client.fetch("limits", 1001)).code, 1);
      assert.equal((await client.fetch("limits", 2 ** 62)).code, 1);
      assert.equal((await client.fetch("none", 0)).code, 3);
    });
  });

  it("stores no batch that is damaged, doubled or out of order", async () => {
    await withClient(async (client) => {
      const damaged = batch(["damaged"]);
      damaged[damaged.length - 2]! ^= 1;
      assert.equal((await client.produce("checked", damaged))!.code, 2);
      assert.equal((await client.produce("checked", batch(["x"]).subarray(0, 40)))!.code, 2);
      const old = batch(["old"]);
      old[16] = 1;
      assert.equal((await client.produce("checked", old))!.code, 43);
      const codes = [];
      for (const [epoch, sequence] of [[0, 0], [0, 0], [0, 2], [0, 1], [1, 0], [0, 2]] as const) {
        const set = batch([`${epoch} ${sequence}`], 99, epoch, sequence);
        const { code, offset } = (await client.produce("checked", set))!;
        codes.push([code, offset]);
      }
      assert.deepEqual(codes, [[0, 0], [0, 0], [45, -1], [0, 1], [0, 2], [47, -1]]);
      assert.equal((await client.produce("no/topic", batch(["x"])))!.code, 17);
    });
    assert.equal(crc32c(Buffer.from("123456789"), 0, 9), 0xe3069283);
  });

  it("answers versions that it does not know by error 35", async () => {
    await withClient(async (client) => {
      const answer = (await client.request(API_VERSIONS, 3, (writer) => writer.int8(0)))!;
      assert.equal(answer.int16(), 35);
      const keys = answer.array(() => [answer.int16(), answer.int16(), answer.int16()]);
      assert.deepEqual(keys.find(([key]) => key === API_VERSIONS), [API_VERSIONS, 0, 2]);
      // The connection is still good.
      assert.equal((await client.request(API_VERSIONS, 0, () => {}))!.int16(), 0);
      assert.equal((await client.request(METADATA, 99, () => {}))!.int16(), 35);
      await client.closed;
    });
  });

  it("answers malformed requests, and ends the connection", async () => {
    await withClient(async (client) => {
      const answer = (await client.request(HEARTBEAT, 0, (writer) => writer.int16(500)))!;
      assert.equal(answer.int16(), 42);
      await client.closed;
    });
    await withClient(async (client) => {
      assert.equal(await client.request(PRODUCE, 7, (writer) => writer.int32(2 ** 30)), undefined);
    });
    await withClient(async (client) => {
      const join = await client.request(JOIN_GROUP, 0, (writer) => {
        writer.string("g").int32(6000).string("unknown").string("consumer");
        writer.array(["range"], (name) => writer.string(name).bytes(Buffer.alloc(0)));
      });
      assert.equal(join!.int16(), 25);
    });
  });

  it("answers a follower that joins again; a rebalance starts only if it has changed", async () => {
    const join = async (client: Client, member: string, about: string) => {
      const answer = (await client.request(JOIN_GROUP, 0, (writer) => {
        writer.string("again").int32(30_000).string(member).string("consumer");
        writer.array(["range"], (name) => writer.string(name).bytes(Buffer.from(about)));
      }))!;
      const [code, generation] = [answer.int16(), answer.int32()];
      answer.string();
      return { client, code, generation, leader: answer.string(), member: answer.string() };
    };
    const sync = async (client: Client, member: string, own: readonly string[]) => {
      const answer = (await client.request(SYNC_GROUP, 0, (writer) => {
        writer.string("again").int32(1).string(member);
        writer.array(own, (member) => writer.string(member).bytes(Buffer.from(`for ${member}`)));
      }))!;
      return [answer.int16(), answer.bytes().toString()];
    };
    const heartbeat = async (client: Client, member: string) => {
      const answer = await client.request(HEARTBEAT, 0, (writer) => {
        writer.string("again").int32(1).string(member);
      });
      return answer!.int16();
    };
    await withClient((one) =>
      withClient(async (two) => {
        const joined = await Promise.all([join(one, "", "a"), join(two, "", "a")]);
        assert.deepEqual(joined.map(({ code, generation }) => [code, generation]), [[0, 1], [
          0,
          1,
        ]]);
        joined.sort((a, b) => Number(b.member === b.leader) - Number(a.member === a.leader));
        const [leader, follower] = joined as [typeof joined[0], typeof joined[0]];
        const ids = joined.map(({ member }) => member);
        const own = sync(follower.client, follower.member, []);
        assert.deepEqual(await sync(leader.client, leader.member, ids), [0, `for ${ids[0]}`]);
        assert.deepEqual(await own, [0, `for ${ids[1]}`]);
        assert.deepEqual(await join(follower.client, follower.member, "a"), follower);
        assert.equal(await heartbeat(leader.client, leader.member), 0);
        const changed = join(follower.client, follower.member, "b");
        while (await heartbeat(leader.client, leader.member) === 0);
        const next = await join(leader.client, leader.member, "a");
        assert.deepEqual([next.generation, (await changed).generation], [2, 2]);
      })
    );
  });

  it("writes its file of offsets anew when most of it is out of date", async () => {
    const file = join(folder, "many/commits.jsonl");
    const commit = (client: Client, round: number) =>
      client.request(OFFSET_COMMIT, 2, (writer) => {
        writer.string("many").int32(-1).string("").int64(-1).array(["many"], (name) => {
          writer.string(name).array(lines(1000), (line) => {
            writer.int32(0).int64(round * 1000 + Number(line)).string("x".repeat(4000));
          });
        });
      });
    await withBroker("many", [], (own) =>
      withClient(async (client) => {
        await client.produce("many", batch(["first"]));
        for (let round = 0; round < 2; round++) await commit(client, round);
        assert.ok(statSync(file).size > 8_000_000);
        await commit(client, 2);
        assert.ok(statSync(file).size < 5000);
        await commit(client, 3);
      }, own));
    await withBroker("many", [], (own) =>
      withClient(async (client) => {
        assert.ok(statSync(file).size < 5000);
        const answer = (await client.request(OFFSET_FETCH, 1, (writer) => {
          writer.string("many").array(["many", "none"], (name) => {
            writer.string(name).array([0], (index) => writer.int32(index));
          });
        }))!;
        const found = answer.topics(() => {
          const [index, offset] = [answer.int32(), answer.int64()];
          return [index, offset, answer.string().length, answer.int16()];
        });
        assert.deepEqual(found, [
          { name: "many", parts: [[0, 3999, 4000, 0]] },
          { name: "none", parts: [[0, -1, 0, 0]] },
        ]);
      }, own));
  });

  for (const size of [2 ** 31 - 1, -1, 0]) {
    it(`refuses a message of ${size} bytes before it is read`, async () => {
      await withClient(async (client) => {
        const head = Buffer.alloc(4);
        head.writeInt32BE(size);
        client.socket.write(head);
        await client.closed;
      });
    });
  }
});

describe("log broker: process", () => {
  it("lets the kernel ask whether a client is still there", async () => {
    await withClient(async (client) => {
      assert.equal((await client.request(API_VERSIONS, 0, () => {}))!.int16(), 0);
      const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
      const ends = `:${hex(server.port)} 0100007F:${hex(client.socket.localPort!)} 01 `;
      const line = readFileSync("/proc/net/tcp", "latin1").split("\n")
        .find((line) => line.includes(ends))!;
      // The number of the timer that runs: 2 is that of keep-alive. See proc_net_tcp in the kernel.
      const timer = / \w{8}:\w{8} (\d\d):/.exec(line)![1];
      assert.equal(timer, "02", line);
    });
  });

  it("stops by Ctrl-C, and keeps a second broker out of its folder", async () => {
    const own = await startBroker(join(folder, "own"));
    try {
      const args = ["--port", "0", "--dir", join(folder, "own")];
      const { code, stderr } = await runChild(BROKER, { args });
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`Process ${own.pid} uses this folder`));
      const { high } = await withClient(async (client) => {
        await client.produce("own", batch(["kept"]));
        own.kill("SIGINT");
        return { high: await own.ended };
      }, own);
      assert.equal(high, 0);
    } finally {
      own.kill("SIGKILL");
    }
    const log = readFileSync(join(folder, "own/topics/own/0/00000000000000000000.log"));
    assert.ok(log.includes("kept"));
  });

  it("explains bad arguments", async () => {
    for (const args of [[], ["--dir", folder, "--port", "x"], ["--dir", folder, "--nonsense"]]) {
      const { code, stderr } = await runChild(BROKER, { args });
      assert.equal(code, 2);
      assert.match(stderr, /Usage: main\.ts --dir DIR/);
    }
  });
});
