import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, ftruncateSync, openSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sendFile } from "../../../src/move/send_file/send_file.ts";
import type { SendResult } from "../../../src/move/send_file/types.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { SlowClient } from "../../_kit/slow_client.ts";
import { RUNTIME, target, TARGETS, withPair } from "../../_kit/targets.ts";
import { listen, stop } from "../../_kit/targets_net.ts";

const MIB = 1024 * 1024;

const folder = new Folder();
const content = noise(12 * MIB);
const path = folder.file(content);
const smallPath = folder.file("small");
const sparsePath = folder.file("");
before(() => {
  const fd = openSync(sparsePath, "r+");
  ftruncateSync(fd, 64 * MIB);
  closeSync(fd);
});
after(() => folder.remove());

/** CPU time of all threads of this process during `ms` milliseconds, in milliseconds. */
async function cpuWhile(ms: number): Promise<number> {
  const start = process.cpuUsage();
  await sleep(ms);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

for (const row of TARGETS) {
  const { skip } = row;
  const warmUp = () => withPair(row, ({ target }) => sendFile(target, smallPath));
  describeWithoutLeaks(`a slow reader of: ${row.name}`, { skip, warmUp }, () => {
    it("is waited for without a busy loop", { skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        reader.stream.pause();
        const sending = sendFile(target, path);
        await sleep(60);
        // A busy loop would fill each of them; a compiler or a collector fills one.
        // On a busy machine, a copy takes its time to fill the socket.
        const used: number[] = [];
        do used.push(await cpuWhile(100)); while (used.at(-1)! >= 35 && used.length < 20);
        assert.ok(used.at(-1)! < 35, `${used} ms of CPU in 100 ms each`);
        reader.stream.resume();
        assert.equal((await sending).bytes, content.length);
        end();
        await reader.closed;
        await reader.expect(content);
      });
    });

    it("reads in starts and stops", { skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        const sending = sendFile(target, path, { length: 6 * MIB });
        for (let i = 0; i < 5; i++) {
          reader.stream.pause();
          await sleep(10);
          reader.stream.resume();
          await sleep(2);
        }
        await sending;
        end();
        await reader.closed;
        await reader.expect(content.subarray(0, 6 * MIB));
      });
    });
  });
}

describe("responses to 200 stopped readers", () => {
  it("use no processor time", async () => {
    const server = createHttpServer((_, res) => {
      res.setHeader("Content-Length", 64 * MIB);
      // The clients disconnect at the end.
      sendFile(res, sparsePath).catch(() => {});
    });
    const port = await listen(server as Server);
    const clients = Array.from({ length: 200 }, () => new SlowClient(port));
    try {
      for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      // Each connection that is looked at every few milliseconds would take a thousandth.
      const used: number[] = [];
      do used.push(await cpuWhile(500)); while (used.at(-1)! >= 25 && used.length < 20);
      assert.ok(used.at(-1)! < 25, `${used} ms of CPU in 500 ms each`);
    } finally {
      for (const client of clients) client.close();
      await stop(server as Server);
    }
  });
});

describe("the event loop beside sendFile()", () => {
  it("serves timers while 64 MiB leave", async () => {
    await withPair(target("accepted net.Socket"), async ({ target, reader }) => {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 1);
      await sendFile(target, sparsePath);
      clearInterval(timer);
      await reader.take(64 * MIB);
      // One turn is 2 MiB: there are 32, and a timer may miss some of them.
      assert.ok(ticks >= 8, `${ticks} ticks`);
    });
  });

  it("gives a small transfer its turn beside a large one", async () => {
    await withPair(target("accepted net.Socket"), async (large) => {
      await withPair(target("net.Socket on a Unix path"), async (small) => {
        const moved: number[] = [];
        const sending = sendFile(large.target, sparsePath).then(({ bytes }) => moved.push(bytes));
        await large.reader.take(1);
        for (let i = 0; i < 3; i++) {
          await sendFile(small.target, smallPath);
          moved.push(large.reader.length);
        }
        assert.ok(moved.length === 3, `the large transfer was over first: ${moved}`);
        await sending;
      });
    });
  });
});

/** A server whose only connection has an idle timer of `TIMEOUT` milliseconds. */
const TIMEOUT = 300;
/** True of any write that is pending there, ours or not. */
const BUN_NEVER_FIRES = RUNTIME === "bun" &&
  "Bun's idle timer never fires while a write is pending";

interface Timed {
  readonly name: string;
  start(): { server: Server; sending: Promise<SendResult>; timeouts: () => number };
  readonly request: string;
}

const TIMED: Timed[] = [
  {
    name: "net.Socket with setTimeout()",
    request: "",
    start() {
      let count = 0;
      const server = createServer();
      const sending = once(server, "connection").then(([socket]: Socket[]) => {
        socket!.setTimeout(TIMEOUT, () => {
          count++;
          socket!.destroy();
        });
        return sendFile(socket!, path, { length: 2 * MIB });
      });
      return { server, sending, timeouts: () => count };
    },
  },
  {
    name: "node:http server with a timeout",
    request: "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    start() {
      let count = 0;
      const server = createHttpServer();
      server.setTimeout(TIMEOUT, (socket) => {
        count++;
        socket.destroy();
      });
      const sending = once(server, "request").then(([, res]) =>
        sendFile(res, path, { length: 2 * MIB })
      );
      return { server: server as Server, sending, timeouts: () => count };
    },
  },
];

/** Sends 2 MiB to a slow client under an idle timer. */
async function withClient(
  { start, request }: Timed,
  body: (
    client: SlowClient,
    sending: Promise<SendResult>,
    timeouts: () => number,
  ) => Promise<void>,
): Promise<void> {
  const { server, sending, timeouts } = start();
  const client = new SlowClient(await listen(server));
  try {
    client.send(request);
    await body(client, sending, timeouts);
  } finally {
    client.close();
    await stop(server);
  }
}

for (const row of TIMED) {
  const { name, request } = row;
  describe(`the idle timer of a ${name}`, () => {
    it("does not fire while a slow reader goes on reading", async () => {
      await withClient(row, async (client, sending, timeouts) => {
        // 2 MiB at 64 KiB every 40 ms: about four times as long as the timer.
        client.read(64 * 1024, 40);
        assert.equal((await sending).bytes, 2 * MIB);
        assert.equal(timeouts(), 0);
        const head = request === "" ? 0 : Buffer.concat(client.chunks).indexOf("\r\n\r\n") + 4;
        while (!client.over && client.length < head + 2 * MIB) await sleep(20);
        const received = Buffer.concat(client.chunks).subarray(head);
        assert.equal(sha256(received), sha256(content.subarray(0, 2 * MIB)));
      });
    });

    it(
      "fires when the reader stops, and the transfer ends",
      { skip: BUN_NEVER_FIRES },
      async () => {
        await withClient(row, async (client, sending, timeouts) => {
          client.read(64 * 1024, 20);
          setTimeout(() => client.stop(), 60);
          await assert.rejects(sending, (error: { code: string; bytesMoved: number }) => {
            assert.equal(error.code, "EPIPE");
            assert.ok(
              error.bytesMoved > 0 && error.bytesMoved < 2 * MIB,
              `${error.bytesMoved} moved`,
            );
            return true;
          });
          assert.equal(timeouts(), 1);
        });
      },
    );
  });
}
