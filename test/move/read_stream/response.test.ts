import assert from "node:assert/strict";
import { statSync, truncateSync } from "node:fs";
import type { RequestListener, ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import type { Server } from "node:http";
import { after, it } from "node:test";
import { channel } from "node:diagnostics_channel";
import { PassThrough, pipeline, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { pipeline as pipelineAsync } from "node:stream/promises";
import { connect as connectTls } from "node:tls";
import { createReadStream } from "../../../src/move/read_stream/read_stream.ts";
import { sendFile, transfer, type TransferTrace } from "../../../src/mod.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import {
  bypassesHttp,
  bypassesPipe,
  Client,
  DESCRIPTOR,
  recording,
  withServer,
} from "../../_kit/serve.ts";
import { HOST } from "../../_kit/targets_net.ts";

type Handler = (res: ServerResponse, path: string) => unknown;

const SIZE = 3_000_001;
const folder = new Folder();
const content = noise(SIZE);
const path = folder.file(content);
const small = folder.file(content.subarray(0, 10));
const empty = folder.file("");

after(() => folder.remove());

/** One way to answer. */
interface Row {
  handle: Handler;
  /** The body that it gives. */
  body?: Uint8Array;
  /** Bytes of it that leave by sendfile(2), where the runtime lets them. */
  sent: number;
  /** The same on Bun, which shows the descriptor only before the head is sent. */
  onBun?: number;
  status?: number;
  method?: string;
}

const length = (res: ServerResponse, size = SIZE) => res.setHeader("Content-Length", size);

/** Answers with a Content-Length and whatever pipes into the response. */
const whole = (connect: (res: ServerResponse, path: string) => unknown): Row => ({
  handle(res, file) {
    length(res);
    return connect(res, file);
  },
  sent: SIZE,
});

const ROWS: Record<string, Row> = {
  "pipe()": whole((res, file) => createReadStream(file).pipe(res)),
  "pipeline() with a callback": whole((res, file) =>
    pipeline(createReadStream(file), res, noError)
  ),
  "pipeline() as a promise": whole((res, file) => pipelineAsync(createReadStream(file), res)),
  "a range": {
    handle(res, file) {
      res.writeHead(206, { "Content-Length": 1_000_000, "Content-Range": "bytes 5-1000004/*" });
      createReadStream(file, { start: 5, end: 1_000_004 }).pipe(res);
    },
    body: content.subarray(5, 1_000_005),
    sent: 1_000_000,
    status: 206,
  },
  "an end alone": {
    handle(res, file) {
      length(res, 100);
      createReadStream(file, { end: 99 }).pipe(res);
    },
    body: content.subarray(0, 100),
    sent: 0,
  },
  "a head that has been sent": {
    ...whole((res, file) => {
      res.flushHeaders();
      setTimeout(() => createReadStream(file).pipe(res), 5);
    }),
    onBun: 0,
  },
  "pipe() in the open event": whole((res, file) => {
    const stream = createReadStream(file);
    stream.on("open", () => stream.pipe(res));
  }),
  "a small file": {
    handle(res) {
      length(res, 10);
      createReadStream(small).pipe(res);
    },
    body: content.subarray(0, 10),
    sent: 0,
  },
  "a small file without a length": {
    handle: (res) => createReadStream(small).pipe(res),
    body: content.subarray(0, 10),
    sent: 10,
    onBun: 0,
  },
  "a small file that takes several reads": {
    handle(res) {
      length(res, 10);
      createReadStream(small, { highWaterMark: 4 }).pipe(res);
    },
    body: content.subarray(0, 10),
    sent: 10,
  },
  "an empty file": {
    handle(res) {
      length(res, 0);
      createReadStream(empty).pipe(res);
    },
    body: Buffer.alloc(0),
    sent: 0,
  },
  "a small highWaterMark": whole((res, file) => {
    createReadStream(file, { highWaterMark: 2000 }).pipe(res);
  }),
  "end: false, and bytes that follow": {
    handle(res, file) {
      length(res, SIZE + 4);
      const stream = createReadStream(file);
      stream.pipe(res, { end: false });
      stream.on("end", () => res.end("tail"));
    },
    body: Buffer.concat([content, Buffer.from("tail")]),
    // Content-Length counts more bytes than the stream yields, so the stream's own length is unknown.
    sent: 0,
  },
  "end: false, and end() later": whole((res, file) => {
    const stream = createReadStream(file);
    stream.pipe(res, { end: false });
    stream.on("end", () => setTimeout(() => res.end(), 5));
  }),
  "bytes that were written first": {
    handle(res, file) {
      length(res, SIZE + 4);
      res.write("head");
      createReadStream(file).pipe(res);
    },
    body: Buffer.concat([Buffer.from("head"), content]),
    sent: 0,
  },
  "bytes that were read first": {
    handle(res, file) {
      length(res, SIZE - 3);
      const stream = createReadStream(file);
      stream.once("readable", () => {
        stream.read(3);
        stream.pipe(res);
      });
    },
    body: content.subarray(3),
    sent: 0,
  },
  "a first chunk that somebody looks at": {
    handle(res, file) {
      length(res);
      const stream = createReadStream(file);
      stream.once("data", () => {});
      stream.pipe(res);
    },
    // From then on there is always a chunk on its way.
    sent: 0,
  },
  "no length": { handle: (res, file) => createReadStream(file).pipe(res), sent: SIZE },
  "no length, and a range": {
    handle: (res, file) => createReadStream(file, { start: 5, end: 1_000_004 }).pipe(res),
    body: content.subarray(5, 1_000_005),
    sent: 1_000_000,
  },
  "no length, and bytes that follow": {
    handle(res, file) {
      const stream = createReadStream(file);
      stream.pipe(res, { end: false });
      stream.on("end", () => res.end("tail"));
    },
    body: Buffer.concat([content, Buffer.from("tail")]),
    sent: 0,
  },
  "no length, and a listener that adds to the body": {
    handle(res, file) {
      const stream = createReadStream(file);
      stream.on("end", () => res.write("tail"));
      stream.pipe(res);
    },
    body: Buffer.concat([content, Buffer.from("tail")]),
    sent: 0,
  },
  "no length, because it was removed": {
    handle(res, file) {
      res.removeHeader("Content-Length");
      createReadStream(file).pipe(res);
    },
    sent: 0,
  },
  "no length, in a pipeline": {
    handle: (res, file) => pipeline(createReadStream(file), res, noError),
    sent: 0,
  },
  "no length, to HEAD": {
    handle: (res, file) => createReadStream(file).pipe(res),
    method: "HEAD",
    body: Buffer.alloc(0),
    sent: 0,
  },
  "no length, of an empty file": {
    handle: (res) => createReadStream(empty).pipe(res),
    body: Buffer.alloc(0),
    sent: 0,
  },
  "chunks, in spite of a length": {
    handle(res, file) {
      res.setHeader("Transfer-Encoding", "chunked");
      createReadStream(file).pipe(res);
    },
    sent: 0,
  },
  "a patched write()": whole((res, file) => {
    const { write } = res;
    res.write = function (...args: unknown[]) {
      return (write as (...args: unknown[]) => boolean).apply(this, args);
    };
    createReadStream(file).pipe(res);
  }),
  "a head that a listener changes at the last moment": {
    handle(res, file) {
      length(res);
      const { writeHead } = res;
      res.writeHead = function (...args: unknown[]) {
        res.removeHeader("Content-Length");
        return (writeHead as (...args: unknown[]) => ServerResponse).apply(this, args);
      };
      createReadStream(file).pipe(res);
    },
    sent: 0,
  },
  "a transform between": whole((res, file) => {
    createReadStream(file).pipe(new PassThrough()).pipe(res);
  }),
  "HEAD": {
    handle(res, file) {
      length(res);
      createReadStream(file).pipe(res);
    },
    method: "HEAD",
    body: Buffer.alloc(0),
    sent: 0,
  },
  "304": {
    handle(res, file) {
      res.statusCode = 304;
      length(res);
      createReadStream(file).pipe(res);
    },
    status: 304,
    body: Buffer.alloc(0),
    sent: 0,
  },
  "a missing file, answered by 404": {
    handle(res) {
      createReadStream("/nowhere").on("error", (error: NodeJS.ErrnoException) => {
        res.writeHead(404, { "Content-Length": 6 });
        res.end(error.code);
      }).pipe(res);
    },
    status: 404,
    body: Buffer.from("ENOENT"),
    sent: 0,
  },
  "a directory, answered by 404": {
    handle(res) {
      length(res, 5);
      createReadStream(folder.path).on("error", (error: NodeJS.ErrnoException) => {
        res.statusCode = 404;
        res.setHeader("Content-Length", 6);
        res.end(error.code);
      }).pipe(res);
    },
    status: 404,
    body: Buffer.from("EISDIR"),
    sent: 0,
  },
};

for (const name of ["a patched write()", "a transform between"]) ROWS[name]!.sent = 0;

/**
 * Closes the files of streams whose client leaves once it has the body, which may be before the
 * stream has ended: like an ordinary stream, it then stays open.
 */
function closeLater(res: ServerResponse): void {
  res.on("pipe", (source: Readable) => {
    res.once("close", () => setTimeout(() => source.destroy(), 500));
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 2000);
    await sleep(5);
  }
}

function noError(error: unknown): void {
  assert.equal(error, undefined);
}

async function check(client: Client, { body = content, status = 200, method = "GET" }: Row) {
  const answer = await client.get("/", {}, method);
  assert.equal(answer.status, status);
  assert.equal(answer.body.length, body.length);
  assert.equal(sha256(answer.body), sha256(body));
}

describeWithoutLeaks("createReadStream() piped into a response", {
  warmUp: () =>
    withServer((_, res) => void ROWS["pipe()"]!.handle(res, path), async (port) => {
      const client = new Client(port);
      await client.get("/");
      await client.close();
    }),
}, () => {
  for (const [name, row] of Object.entries(ROWS)) {
    const expected = DESCRIPTOR ? row.sent : row.onBun ?? (bypassesHttp(row.sent) ? row.sent : 0);
    it(`${name}: ${row.sent > 0 ? "by sendfile" : "as ever"}`, async () => {
      await withServer((_, res) => {
        closeLater(res);
        row.handle(res, path);
      }, async (port) => {
        const client = new Client(port);
        const { sent } = await recording(async () => {
          // Twice, on one connection: nothing of the first answer may be left over.
          await check(client, row);
          await check(client, row);
        });
        assert.equal(client.rest.length, 0);
        assert.equal(sent, 2 * expected);
        await client.close();
      });
    });
  }

  it("announces the length, and cuts the connection if others add to the body", async () => {
    const huge = folder.file("");
    truncateSync(huge, 64 * 1024 * 1024);
    const listener: RequestListener = (req, res) => {
      const stream = createReadStream(req.url === "/huge" ? huge : path);
      stream.pipe(res).on("close", () => stream.destroy());
      // The client reads nothing yet, so the body is on its way.
      if (req.url === "/huge") {
        const timer = setInterval(() => {
          if (res.headersSent) clearInterval(timer), res.write("x");
        }, 1);
      }
    };
    await withServer(listener, async (port) => {
      const client = new Client(port);
      assert.equal((await client.get("/")).headers["content-length"], String(SIZE));
      const { headers, body } = await client.get("/huge");
      assert.ok(body.length < Number(headers["content-length"]), `${body.length} bytes came`);
      await client.close();
    });
  });

  it("keeps answers apart that were asked for in one go", async () => {
    const sizes = [0, 1, 10, 100_000, 1_000_000, 7, 300_000, 65_536, 65_537, 0];
    await withServer((req, res) => {
      const size = Number(req.url!.slice(1));
      length(res, size);
      createReadStream(path, { start: 1, end: Math.max(1, size) }).pipe(res);
    }, async (port) => {
      const client = new Client(port);
      const { sent } = await recording(async () => {
        for (const size of sizes.filter((size) => size > 0)) client.send("GET", `/${size}`);
        for (const size of sizes.filter((size) => size > 0)) {
          const { body } = await client.receive();
          assert.equal(sha256(body), sha256(content.subarray(1, size + 1)));
        }
      });
      assert.equal(client.rest.length, 0);
      const total = sizes.filter(bypassesPipe).reduce((a, b) => a + b);
      // On Bun, a response that still waits for another has no connection to bypass.
      if (DESCRIPTOR) assert.equal(sent, total);
      await client.close();
    });
  });

  it("sends through a Unix socket", async () => {
    const socket = `${folder.path}/socket`;
    await withServer(
      (_, res) => void ROWS["pipe()"]!.handle(res, path),
      async () => {
        const client = new Client(socket);
        const { sent } = await recording(() => check(client, ROWS["pipe()"]!));
        assert.equal(sent, DESCRIPTOR ? SIZE : 0);
        await client.close();
      },
      undefined,
      socket,
    );
  });

  it("leaves an encrypted response alone", async () => {
    const server = createTlsServer({ cert: CERTIFICATE, key: KEY }) as unknown as Server;
    await withServer((_, res) => void ROWS["pipe()"]!.handle(res, path), async (port) => {
      const socket = connectTls({ host: HOST, port, ca: CERTIFICATE, servername: "localhost" });
      const client = new Client(socket);
      const { sent } = await recording(() => check(client, ROWS["pipe()"]!));
      assert.equal(sent, 0);
      await client.close();
    }, server);
  });

  it("leaves an HTTP/2 response alone", async () => {
    const server = createHttp2Server() as unknown as Server;
    await withServer((_, res) => void ROWS["pipe()"]!.handle(res, path), async (port) => {
      const session = connectHttp2(`http://${HOST}:${port}`);
      const { sent, result } = await recording(async () => {
        return Buffer.concat(await session.request({ ":path": "/" }).toArray());
      });
      assert.equal(sha256(result), sha256(content));
      assert.equal(sent, 0);
      // Not close(): Deno aborts in its nghttp2, now and then, when its client says that it goes away.
      session.destroy();
    }, server);
  });

  it("traces each transfer from its start to its end, with one object", async () => {
    const seen: [string, TransferTrace][] = [];
    const subscriptions = ["start", "error", "asyncEnd"].map((event) => {
      const each = channel(`tracing:sluice:transfer:${event}`);
      const listener = (trace: unknown) => void seen.push([event, trace as TransferTrace]);
      each.subscribe(listener);
      return () => each.unsubscribe(listener);
    });
    try {
      await withServer((req, res) => {
        if (req.url === "/stream") createReadStream(path).pipe(res);
        else void sendFile(res, path);
      }, async (port) => {
        const client = new Client(port);
        for (const target of ["/file", "/stream"]) {
          await client.get(target);
          await until(() => seen.length === 2);
          const [[start, first], [end, last]] = seen.splice(0) as [typeof seen[0], typeof seen[0]];
          assert.deepEqual([start, end], ["start", "asyncEnd"]);
          assert.equal(first, last);
          assert.equal(last.total, SIZE);
          assert.equal(last.bytes, SIZE);
          assert.equal(last.method, "sendfile");
          assert.equal(last.error, undefined);
        }
        await client.close();
      });
      const signal = AbortSignal.abort();
      await assert.rejects(transfer(Readable.from([content]), new PassThrough(), { signal }));
      const trace = seen.at(-1)![1];
      assert.deepEqual(seen.map(([event]) => event), ["start", "error", "asyncEnd"]);
      assert.equal(trace.error!.name, "AbortError");
    } finally {
      for (const end of subscriptions) end();
    }
  });

  it("tells bytes, method and duration of each transfer", async () => {
    await withServer((_, res) => void ROWS["pipe()"]!.handle(res, path), async (port) => {
      const client = new Client(port);
      const { events } = await recording(() => check(client, ROWS["pipe()"]!));
      for (const event of events) {
        assert.ok(event.durationMs > 0);
        assert.deepEqual({ ...event, durationMs: 0 }, {
          operation: "createReadStream",
          bytes: statSync(path).size,
          method: "sendfile",
          durationMs: 0,
          error: undefined,
        });
      }
      assert.equal(events.length, 1);
      await client.close();
    });
  });
});
