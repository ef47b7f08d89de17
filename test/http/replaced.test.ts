import assert from "node:assert/strict";
import { once } from "node:events";
import { renameSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileResponse, serveStatic } from "../../src/http/mod.ts";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { assertClosed } from "../_kit/leaks.ts";
import { Client } from "../_kit/serve.ts";
import { HOST, listen, stop } from "../_kit/targets_net.ts";

type Handler = (request: Request) => Promise<Response>;

interface FetchServer {
  readonly port?: number;
  readonly addr?: { readonly port: number };
  stop?(now: boolean): Promise<void>;
  shutdown?(): Promise<void>;
}
type Serve = (...args: unknown[]) => FetchServer;
const { Bun, Deno } = globalThis as { Bun?: { serve: Serve }; Deno?: { serve: Serve } };

const folder = new Folder();
const NAME = "served.bin";
const path = join(folder.path, NAME);

after(() => folder.remove());

/** Runs `body` with a server that calls `between` after the head was made, and before it is sent. */
type Runner = (between: () => void, body: (port: number) => Promise<void>) => Promise<void>;

const withFetch = (respond: (request: Request) => Response | Promise<Response>): Runner =>
async (
  between,
  body,
) => {
  const handler: Handler = async (request) => {
    const response = await respond(request);
    between();
    await new Promise((resolve) => setTimeout(resolve, 5));
    return response;
  };
  const options = { port: 0, hostname: HOST, onListen: () => {}, error: () => new Response("") };
  const server = Bun?.serve({ ...options, fetch: handler }) ?? Deno!.serve(options, handler);
  try {
    await body(server.port ?? server.addr!.port);
  } finally {
    await (server.stop?.(true) ?? server.shutdown!());
  }
};

const withNode: Runner = async (between, body) => {
  const files = serveStatic(folder.path, { setHeaders: between });
  const server = createServer(files);
  try {
    await body(await listen(server));
  } finally {
    await stop(server);
    files.close();
  }
};

const RUNNERS: Record<string, Runner> = {
  "node:http, serveStatic()": withNode,
  "fetch, fileResponse()": withFetch((request) => fileResponse(request, path)),
  "fetch, fileResponse() below a root": withFetch((request) =>
    fileResponse(request, NAME, { root: folder.path })
  ),
  "fetch, serveStatic()": withFetch(serveStatic(folder.path)),
};

/** Node.js has no server of its own whose handlers return a `Response`. */
const NO_SERVER = (Bun ?? Deno) === undefined && "this runtime has no server in the style of fetch";

const SIZES = [500_000, 6 * 1024 * 1024 + 1];

/** Bytes of a connection until it ends, or until a response looks complete. */
interface Outcome {
  readonly ended: boolean;
  readonly bytes: Buffer;
}

const END_OF_CHUNKS = Buffer.from("\r\n0\r\n\r\n");

/** Bytes that a complete answer with this beginning has; in chunks it says so at its end. */
function promisedBytes(bytes: Buffer): number {
  const head = bytes.subarray(0, bytes.indexOf("\r\n\r\n") + 4);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head.toString("latin1"))?.[1];
  return length === undefined ? Infinity : head.length + Number(length);
}

/** Asks some times at once; `paused` is called when the first bytes are there. */
async function everything(port: number, requests: number, paused = () => {}): Promise<Outcome> {
  const socket = connect(port, HOST);
  socket.on("error", () => {});
  socket.write(`GET /${NAME} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(requests));
  await once(socket, "readable");
  paused();
  const parts: Buffer[] = [];
  let length = 0;
  let promised: number | undefined;
  return await new Promise<Outcome>((resolve) => {
    const settle = (ended: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ended, bytes: Buffer.concat(parts) });
    };
    // A connection that stays open says nothing: it has to be given up at some time.
    const timer = setTimeout(() => settle(false), 4000);
    socket.on("close", () => settle(true));
    socket.on("data", (part: Buffer) => {
      parts.push(part);
      length += part.length;
      promised ??= promisedBytes(parts[0]!);
      if (length >= promised || part.subarray(-7).equals(END_OF_CHUNKS)) settle(false);
    });
  });
}

for (const [name, run] of Object.entries(RUNNERS)) {
  const skip = name.startsWith("fetch") && NO_SERVER;
  describe(`a file that changes after its head was made: ${name}`, () => {
    for (const size of SIZES) {
      const before = noise(size, 1);
      const afterwards = noise(size + 300_000, 2);

      it(
        `sends the file of the head although another has its name, ${size} bytes`,
        { skip },
        async () => {
          writeFileSync(path, before);
          await run(() => {
            writeFileSync(`${path}.new`, afterwards);
            renameSync(`${path}.new`, path);
          }, async (port) => {
            const client = new Client(port);
            const { headers, body } = await client.get(`/${NAME}`);
            assert.equal(body.length, size);
            assert.equal(sha256(body), sha256(before));
            assert.ok((headers["content-length"] ?? String(size)) === String(size));
            // The name has the other by now, and this client goes on where it was.
            const range = { range: `bytes=${size - 1000}-`, "if-range": headers["etag"]! };
            const next = await client.get(`/${NAME}`, range);
            assert.equal(next.status, 200);
            assert.equal(sha256(next.body), sha256(afterwards));
            await client.close();
          });
          await assertClosed(path);
        },
      );

      it(
        `ends the connection when the file has become shorter, ${size} bytes`,
        { skip },
        async () => {
          writeFileSync(path, before);
          let times = 0;
          await run(() => {
            if (times++ === 0) truncateSync(path, 100_000);
          }, async (port) => {
            const { ended, bytes } = await everything(port, 1);
            // Bytes read before the truncation are complete.
            if (!ended) assert.equal(sha256(bytes.subarray(-size)), sha256(before));
            else assert.ok(bytes.length < size);
          });
        },
      );
    }

    const size = SIZES[1]! * 3;
    it("ends the connection when the file becomes shorter on the way", { skip }, async () => {
      const content = noise(size, 3);
      writeFileSync(path, content);
      await run(() => {}, async (port) => {
        const { ended, bytes } = await everything(port, 2, () => truncateSync(path, 1000));
        assert.ok(ended, "the connection stays open");
        assert.ok(bytes.length < size, `${bytes.length} bytes`);
        assert.equal(bytes.indexOf("HTTP/1.1", 8), -1, "the next answer is in this one");
      });
    });
  });
}

describe("a file that changes after its head was made: node:http2, serveStatic()", () => {
  it("sends the file of the head, and fails when it has become shorter", async () => {
    const content = noise(SIZES[1]!, 1);
    let change = () => {
      writeFileSync(`${path}.new`, "new");
      renameSync(`${path}.new`, path);
    };
    const files = serveStatic(folder.path, { setHeaders: () => change() });
    const server = createHttp2Server(files as never);
    const port = await listen(server as never);
    const session = connectHttp2(`http://${HOST}:${port}`);
    const get = async () => {
      writeFileSync(path, content);
      const stream = session.request({ ":path": `/${NAME}` });
      const status = once(stream, "response").then(([headers]) => headers[":status"]);
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part);
      assert.equal(await status, 200);
      assert.equal(stream.rstCode, 0);
      return Buffer.concat(parts);
    };
    try {
      assert.equal(sha256(await get()), sha256(content));
      change = () => truncateSync(path, 1000);
      await assert.rejects(get);
    } finally {
      session.destroy();
      await new Promise((resolve) => server.close(resolve));
      files.close();
    }
  });
});
