import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { connect } from "node:net";
import { after, it } from "node:test";
import { sendFile } from "../../../src/move/send_file/send_file.ts";
import type { SendFileOptions, SendResult } from "../../../src/move/send_file/types.ts";
import { Folder, noise, Reader, sha256 } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { bypassesHttp } from "../../_kit/serve.ts";
import { HOST, listen, stop } from "../../_kit/targets_net.ts";

const folder = new Folder();
const content = noise(200_000);
const path = folder.file(content, ".png");
after(() => folder.remove());

const methodOf = (bytes: number) => bypassesHttp(bytes) ? "sendfile" : "copy";

interface Exchange {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly end: "end" | "cut";
  /** Result or error of sendFile(). */
  readonly outcome: SendResult | Error;
}

type Handler = (res: ServerResponse) => Promise<SendResult>;

/** One request, on a server of its own, answered by `handler`. */
async function exchange(handler: Handler, method = "GET"): Promise<Exchange> {
  let outcome: Promise<SendResult | Error> | undefined;
  const server = createServer((_, res) => {
    outcome = handler(res).catch((error: Error) => error);
  });
  const port = await listen(server);
  try {
    const client = request({ host: HOST, port, method }).end();
    client.on("error", () => {});
    const [message] = await once(client, "response") as [IncomingMessage];
    const reader = new Reader(message);
    const end = await reader.closed;
    const { statusCode: status = 0, headers, complete } = message;
    return {
      status,
      headers,
      body: reader.bytes(),
      end: complete ? end : "cut",
      outcome: await outcome!,
    };
  } finally {
    server.closeAllConnections();
    await stop(server);
  }
}

function assertSent(exchange: Exchange, method: string, body: Uint8Array = content): void {
  const { outcome } = exchange;
  if (outcome instanceof Error) throw outcome;
  assert.deepEqual([outcome.bytes, outcome.method], [body.length, method]);
  assert.equal(exchange.end, "end");
  assert.equal(exchange.body.length, body.length);
  assert.equal(sha256(exchange.body), sha256(body));
}

const warmUp = () => exchange((res) => sendFile(res, path));
describeWithoutLeaks("sendFile() to a response", { warmUp }, () => {
  const range: SendFileOptions = { start: 100, end: 299 };
  const part = content.subarray(100, 300);

  it("sets Content-Length and Content-Type, and ends the response", async () => {
    let response: ServerResponse | undefined;
    const result = await exchange((res) => sendFile(response = res, path));
    assertSent(result, methodOf(content.length));
    assert.equal(result.headers["content-length"], "200000");
    assert.equal(result.headers["content-type"], "image/png");
    assert.equal(response!.writableEnded, true);
  });

  it("sets the length of a range, and leaves the status alone", async () => {
    const result = await exchange((res) => {
      res.statusCode = 206;
      return sendFile(res, path, range);
    });
    assertSent(result, methodOf(part.length), part);
    assert.equal(result.status, 206);
    assert.equal(result.headers["content-length"], "200");
  });

  it("keeps the headers that are set, and corrects a wrong Content-Length", async () => {
    const result = await exchange((res) => {
      res.setHeader("Content-Type", "text/x-test");
      res.setHeader("ETag", '"1"');
      res.setHeader("Content-Length", 5);
      return sendFile(res, path);
    });
    assertSent(result, methodOf(content.length));
    assert.equal(result.headers["content-type"], "text/x-test");
    assert.equal(result.headers.etag, '"1"');
    assert.equal(result.headers["content-length"], "200000");
  });

  it("sends an empty file", async () => {
    const empty = folder.file("");
    const result = await exchange((res) => sendFile(res, empty));
    assertSent(result, "none", Buffer.alloc(0));
    assert.equal(result.headers["content-length"], "0");
  });

  it("sends the head alone to HEAD", async () => {
    const result = await exchange((res) => sendFile(res, path), "HEAD");
    assertSent(result, "none", Buffer.alloc(0));
    assert.equal(result.headers["content-length"], "200000");
  });

  for (const status of [204, 304]) {
    it(`sends no body with status ${status}`, async () => {
      const result = await exchange((res) => {
        res.statusCode = status;
        return sendFile(res, path);
      });
      assertSent(result, "none", Buffer.alloc(0));
      assert.equal(result.status, status);
    });
  }

  it("goes on by sendfile after headers with this very length", async () => {
    const result = await exchange((res) => {
      res.writeHead(206, { "Content-Length": "200", "X-A": "1" });
      return sendFile(res, path, range);
    });
    assertSent(result, methodOf(part.length), part);
    assert.equal(result.headers["x-a"], "1");
  });

  it("goes on by sendfile after flushed headers", async () => {
    const result = await exchange((res) => {
      res.setHeader("Content-Length", content.length);
      res.flushHeaders();
      return sendFile(res, path);
    });
    assertSent(result, methodOf(content.length));
  });

  it("copies after headers with a larger length, for the owner may have written more", async () => {
    const result = await exchange((res) => {
      res.writeHead(200, { "Content-Length": "205" });
      res.write("first");
      return sendFile(res, path, range);
    });
    const { bytes, method } = result.outcome as SendResult;
    assert.deepEqual([bytes, method], [200, "copy"]);
    assert.equal(sha256(result.body), sha256(Buffer.concat([Buffer.from("first"), part])));
  });

  it("copies into a chunked response", async () => {
    const result = await exchange((res) => {
      res.writeHead(200, { "Transfer-Encoding": "chunked" });
      return sendFile(res, path);
    });
    assertSent(result, "copy");
    assert.equal(result.headers["content-length"], undefined);
  });

  it("copies where headers without a length have been sent", async () => {
    const result = await exchange((res) => {
      res.flushHeaders();
      return sendFile(res, path);
    });
    assertSent(result, "copy");
  });

  for (const name of ["write", "end"] as const) {
    it(`copies where ${name}() is patched, as compression does`, async () => {
      let calls = 0;
      const result = await exchange((res) => {
        const original = res[name] as (...args: unknown[]) => unknown;
        res[name] = function (this: unknown, ...args: unknown[]) {
          calls++;
          return original.apply(this, args);
        } as never;
        return sendFile(res, path);
      });
      assertSent(result, "copy");
      assert.ok(calls > 0);
    });
  }

  it("copies under strictContentLength, which counts the runtime's own writes", async () => {
    const result = await exchange((res) => {
      res.strictContentLength = true;
      return sendFile(res, path);
    });
    assertSent(result, "copy");
  });

  it('copies with stability: "copy"', async () => {
    assertSent(await exchange((res) => sendFile(res, path, { stability: "copy" })), "copy");
  });

  it("refuses header and trailer bytes, and leaves the response usable", async () => {
    for (const name of ["header", "trailer"]) {
      const result = await exchange(async (res) => {
        try {
          return await sendFile(res, path, { [name]: new Uint8Array(1) });
        } finally {
          res.end("fallback");
        }
      });
      assert.ok(result.outcome instanceof TypeError);
      assert.match(result.outcome.message, /response/);
      assert.equal(result.body.toString(), "fallback");
    }
  });

  it("leaves the response untouched when the file cannot be opened", async () => {
    const result = await exchange(async (res) => {
      try {
        return await sendFile(res, `${path}.missing`);
      } catch (error) {
        assert.equal(res.headersSent, false);
        assert.equal(res.hasHeader("content-length"), false);
        res.statusCode = 404;
        res.end("nothing");
        throw error;
      }
    });
    assert.equal((result.outcome as NodeJS.ErrnoException).code, "ENOENT");
    assert.equal(result.status, 404);
    assert.equal(result.body.toString(), "nothing");
  });

  it("refuses a response that has ended", async () => {
    const result = await exchange((res) => {
      res.end("done");
      return sendFile(res, path);
    });
    assert.equal((result.outcome as NodeJS.ErrnoException).code, "EPIPE");
    assert.equal((result.outcome as { bytesMoved?: number }).bytesMoved, 0);
    assert.equal(result.body.toString(), "done");
  });

  it("refuses a response that has been destroyed", async () => {
    const server = createServer();
    const port = await listen(server);
    const client = request({ host: HOST, port }).end();
    client.on("error", () => {});
    const [, res] = await once(server, "request") as [IncomingMessage, ServerResponse];
    res.destroy();
    await assert.rejects(sendFile(res, path), { code: "EPIPE", bytesMoved: 0 });
    server.closeAllConnections();
    await stop(server);
  });

  it("answers an HTTP/1.0 client, and closes", async () => {
    const server = createServer((_, res) => void sendFile(res, path));
    const socket = connect(await listen(server), HOST);
    const reader = new Reader(socket);
    socket.write("GET / HTTP/1.0\r\n\r\n");
    assert.equal(await reader.closed, "end");
    const bytes = reader.bytes();
    assert.equal(sha256(bytes.subarray(-content.length)), sha256(content));
    assert.match(
      bytes.subarray(0, -content.length).toString(),
      /content-length: 200000\r\n.*\r\n\r\n$/is,
    );
    await stop(server);
  });

  it("emits finish and close, as for any response", async () => {
    const events: string[] = [];
    await exchange(async (res) => {
      const closed = once(res, "close");
      res.on("finish", () => events.push("finish"));
      res.on("close", () => events.push("close"));
      const result = await sendFile(res, path);
      await closed;
      return result;
    });
    assert.deepEqual(events, ["finish", "close"]);
  });
});
