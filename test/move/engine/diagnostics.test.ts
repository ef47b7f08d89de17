import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import {
  broadcast,
  copyFile,
  createReadStream,
  createRelay,
  DirectFile,
  relay,
  sendFile,
  transfer,
  type TransferEvent,
  type TransferTrace,
} from "../../../src/mod.ts";
import { createFileServer } from "../../../src/http/mod.ts";
import { available } from "../../../src/sys/libc.ts";
import { Folder, noise, Reader } from "../../_kit/bytes.ts";
import { freePort as unused } from "../../_kit/free_port.ts";
import { listen, stop, withSockets } from "../../_kit/targets_net.ts";

const SIZE = 300_000;
const folder = new Folder();
after(() => folder.remove());

/** Kept, because Bun drops the subscribers of a channel that nobody refers to. */
const channels = ["start", "error", "asyncEnd"].map((event) => ({
  event,
  channel: channel(`tracing:sluice:transfer:${event}`),
}));
const events = channel("sluice:transfer");
const requests = channel("sluice:request");

/** What is published while `body` runs, in order. */
async function traced(body: () => Promise<unknown>): Promise<[string, TransferTrace][]> {
  const seen: [string, TransferTrace][] = [];
  const published: TransferEvent[] = [];
  const listener = (event: unknown) => void published.push(event as TransferEvent);
  const subscriptions = channels.map(({ event, channel }) => {
    const each = (trace: unknown) => void seen.push([event, trace as TransferTrace]);
    channel.subscribe(each);
    return () => channel.unsubscribe(each);
  });
  events.subscribe(listener);
  try {
    await body();
  } finally {
    events.unsubscribe(listener);
    for (const end of subscriptions) end();
  }
  const ends = seen.filter(([event]) => event === "asyncEnd").map(([, trace]) => trace);
  assert.deepEqual(
    published.map(({ operation, bytes, method }) => ({ operation, bytes, method })),
    ends.map(({ operation, bytes, method }) => ({ operation, bytes, method })),
  );
  return seen;
}

/** Both ends of a connection, which `relay` may take over. */
async function pair(): Promise<[Socket, Socket, () => Promise<void>]> {
  const server = createServer({ allowHalfOpen: true });
  const port = await listen(server);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [socket] = await accepted;
  return [client, socket, () => stop(server)];
}

describe("the tracing channel sluice:transfer", () => {
  const path = folder.file(noise(SIZE));

  /** Each operation, once, and what it is called. */
  const OPERATIONS: Record<string, () => Promise<unknown>> = {
    sendFile: () =>
      withSockets(async (client, server) => {
        const reader = new Reader(server);
        await sendFile(client, path);
        await reader.take(SIZE);
      }),
    transfer: () => transfer(path, new WritableStream()),
    copyFile: () => copyFile(path, join(folder.path, "copied")),
    broadcast: () => broadcast(path, [new WritableStream()]),
    relay: async () => {
      const [a, b, stopFirst] = await pair();
      const [c, d, stopSecond] = await pair();
      const reader = new Reader(d);
      const relaying = relay(b, c);
      a.end(noise(SIZE));
      await reader.take(SIZE);
      d.end();
      a.resume();
      await relaying;
      a.destroy();
      d.destroy();
      await Promise.all([stopFirst(), stopSecond()]);
    },
  };

  for (const [operation, run] of Object.entries(OPERATIONS)) {
    it(`tells the start and the end of ${operation}()`, async () => {
      const seen = await traced(run);
      assert.deepEqual(seen.map(([event]) => event), ["start", "asyncEnd"]);
      const [[, first], [, last]] = seen as [typeof seen[0], typeof seen[0]];
      assert.equal(first, last);
      assert.equal(last.operation, operation);
      assert.equal(last.bytes, SIZE);
      assert.equal(typeof last.method, "string");
      assert.notEqual(last.method, "none");
      assert.ok(last.durationMs! >= 0);
      assert.equal("error" in last, false);
    });
  }

  it("tells reads and writes of a DirectFile, and their errors", async () => {
    const file = await DirectFile.open(folder.file(noise(8192)), { access: "write" });
    const seen = await traced(async () => {
      await file.write(noise(4096), 4096);
      await file.read(new Uint8Array(SIZE), 0);
      const reading = file.read(new Uint8Array(10), 0, { signal: AbortSignal.abort() });
      await assert.rejects(reading, { name: "AbortError" });
    });
    await file.close();
    assert.deepEqual(
      seen.filter(([event]) => event === "asyncEnd").map(([, { operation, total, bytes }]) =>
        `${operation} ${bytes}/${total}`
      ),
      ["DirectFile.write 4096/4096", "DirectFile.read 8192/300000", "DirectFile.read 0/10"],
    );
    const failed = seen.filter(([event]) => event === "error").map(([, { error }]) => error!.name);
    assert.deepEqual(failed, ["AbortError"]);
    for (const [, { method }] of seen) {
      assert.match(method!, available() ? /^(direct|buffered)$/ : /^copy$/);
    }
  });

  it("tells each connection of createRelay(), also one that reaches nothing", async () => {
    const upstream = createServer((socket) => socket.end(noise(SIZE)));
    const port = await listen(upstream);
    const seen = await traced(async () => {
      for (const to of [port, await unused()]) {
        const made = createRelay({ listen: "127.0.0.1:0", upstream: to });
        const address = await made.listen();
        const client = connect(address.port, "127.0.0.1");
        let bytes = 0;
        client.on("error", () => {}).on("data", (chunk) => bytes += chunk.length);
        await new Promise((resolve) => client.on("close", resolve));
        assert.equal(bytes, to === port ? SIZE : 0);
        await made.close();
      }
    });
    await stop(upstream);
    const ends = seen.filter(([event]) => event === "asyncEnd").map(([, trace]) => trace);
    assert.deepEqual(seen.map(([event]) => event), [
      ...["start", "asyncEnd"],
      ...["start", "error", "asyncEnd"],
    ]);
    const [moved, failed] = ends as [TransferTrace, TransferTrace];
    assert.deepEqual([moved.operation, moved.bytes], ["createRelay", SIZE]);
    assert.match(moved.method!, /^(splice|copy)$/);
    assert.ok(moved.durationMs! >= 0);
    assert.equal((failed.error as { code?: string }).code, "ECONNREFUSED");
    assert.equal(failed.method, "none");
  });

  it("tells the end of connections that closing a relay cuts", async () => {
    const upstream = createServer((socket) => socket.on("error", () => {}).write("hello"));
    const port = await listen(upstream);
    const seen = await traced(async () => {
      const made = createRelay({ listen: "127.0.0.1:0", upstream: port });
      const client = connect((await made.listen()).port, "127.0.0.1");
      client.on("error", () => {});
      await once(client, "data");
      await made.close({ graceMs: 0 });
      client.destroy();
    });
    await stop(upstream);
    assert.deepEqual(seen.map(([event]) => event), ["start", "error", "asyncEnd"]);
    assert.ok(seen.at(-1)![1].error instanceof Error);
  });

  it("tells a stream of createReadStream(), and a file that is followed", async () => {
    const seen = await traced(() =>
      withSockets(async (client, server) => {
        const reader = new Reader(server);
        createReadStream(path).pipe(client, { end: false });
        await reader.take(SIZE);
        await transfer(path, client, { follow: true, length: 10 });
      })
    );
    const ends = seen.filter(([event]) => event === "asyncEnd");
    assert.deepEqual(ends.at(-1)![1].bytes, 10);
    // Without the descriptor of the socket, the stream is an ordinary one.
    for (const [, { operation }] of ends.slice(0, -1)) assert.equal(operation, "createReadStream");
  });

  it("tells the error of each operation", async () => {
    const signal = AbortSignal.abort();
    const failing: [string, () => Promise<unknown>][] = [
      ["transfer", () => transfer(path, new WritableStream(), { signal })],
      ["transfer", () => transfer(path, new WritableStream(), { signal, follow: true })],
      ["broadcast", () => broadcast(path, [new WritableStream()], { signal })],
    ];
    for (const [operation, run] of failing) {
      const seen = await traced(() => assert.rejects(run(), { name: "AbortError" }));
      assert.deepEqual(seen.map(([event]) => event), ["start", "error", "asyncEnd"]);
      assert.equal(seen[2]![1].operation, operation);
      assert.equal(seen[2]![1].error?.name, "AbortError");
    }
  });

  it("gets the requests of a file server that was created while it had a subscriber", async () => {
    const root = join(folder.path, "root");
    mkdirSync(root);
    writeFileSync(join(root, "file.txt"), "text");
    const told: string[] = [];
    const asked: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = (event: unknown) => {
      const { method, target, status, bytes } = event as Record<string, unknown>;
      if (told.push(`${method} ${target} ${status} ${bytes}`) === 2) resolve();
    };
    requests.subscribe(listener);
    const onRequest = ({ target }: { target: string }) => void asked.push(target);
    const server = createFileServer({ root, threads: 1, onRequest });
    try {
      const { port } = await server.listen();
      for (const target of ["/file.txt", "/none"]) {
        const response = await fetch(`http://127.0.0.1:${port}${target}`, {
          headers: { connection: "close" },
        });
        await response.text();
      }
      await promise;
    } finally {
      requests.unsubscribe(listener);
      await server.close({ graceMs: 0 });
    }
    assert.equal(told[0], "GET /file.txt 200 4");
    assert.match(told[1]!, /^GET \/none 404 /);
    assert.deepEqual(asked, ["/file.txt", "/none"]);
  });

  it(
    "counts a descriptor's bytes, too",
    { skip: available() ? false : "needs a descriptor" },
    async () => {
      const target = openSync(folder.file(""), "w");
      const seen = await traced(() => transfer(path, target));
      closeSync(target);
      assert.equal(seen.at(-1)![1].bytes, SIZE);
    },
  );
});
