import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { after, describe, it } from "node:test";
import { respondWithFile } from "../../src/http/mod.ts";
import { broadcast, sendFile, transfer } from "../../src/mod.ts";
import { Folder, noise } from "../_kit/bytes.ts";
import { requestText, talk } from "../_kit/raw_http.ts";
import { listen, stop } from "../_kit/targets_net.ts";

const content = noise(200_000);
const folder = new Folder();
const path = folder.file(content);
after(() => folder.remove());

type Send = (res: ServerResponse, req: IncomingMessage) => Promise<unknown>;

/** The bytes of two answers on one connection: that of `handler`, and "NEXT". */
async function exchange(handler: Send): Promise<{ bytes: Buffer; outcome: unknown }> {
  let outcome: unknown;
  const server = createServer((req, res) => {
    if (req.url === "/next") return void res.end("NEXT");
    handler(res, req).then((value) => outcome = value, (error) => {
      outcome = error;
      res.destroy();
    });
  });
  const port = await listen(server);
  try {
    const next = requestText("/next", { Connection: "close" });
    return { bytes: await talk(port, requestText("/") + next), outcome };
  } finally {
    server.closeAllConnections();
    await stop(server);
  }
}

/** Promises this length in the head, before or when it leaves. */
const PROMISES: Record<string, (res: ServerResponse, length: number) => void> = {
  "a header": (res, length) => res.setHeader("Content-Length", length),
  "writeHead()": (res, length) => res.writeHead(200, { "Content-Length": length }),
};

/** Sends all of the content. A head that can be changed gets the right length from `sendFile`. */
const SENDERS: Record<string, { readonly by: readonly string[]; readonly send: Send }> = {
  "sendFile()": { by: ["writeHead()"], send: (res) => sendFile(res, path) },
  "transfer() of a file": { by: ["writeHead()"], send: (res) => transfer(path, res) },
  "transfer() of a stream": {
    by: ["a header", "writeHead()"],
    send: (res) => transfer(Readable.from([content.subarray(0, 9), content.subarray(9)]), res),
  },
  "broadcast()": {
    by: ["a header", "writeHead()"],
    send: async (res) => {
      const { targets: [report] } = await broadcast(path, [res]);
      if (report!.error !== undefined) throw report!.error;
    },
  },
};

/** Bun does not tell whether a head has left, so that a part of the body may have been written. */
const UNKNOWN = "Bun" in globalThis && "a head that waits cannot be told from one that has left";

describe("a response that promises another length", () => {
  for (const [name, { by, send }] of Object.entries(SENDERS)) {
    for (const way of by) {
      for (
        const [more, length] of [["fewer", content.length - 10], ["more", content.length + 10]]
      ) {
        const skip = way === "writeHead()" && more === "more" && UNKNOWN;
        it(`is refused or cut off: ${name}, ${more} by ${way}`, { skip }, async () => {
          const { bytes, outcome } = await exchange((res, req) => {
            PROMISES[way]!(res, length as number);
            return send(res, req);
          });
          assert.equal((outcome as { code?: string }).code, "EMSGSIZE", String(outcome));
          assert.match(String(outcome), new RegExp(`Content-Length is ${length}`));
          // The client took what follows for a part of this body, or this body for what follows.
          assert.ok(!bytes.includes("NEXT"));
          assert.ok(bytes.length < (length as number) + 1000);
        });
      }
    }
  }

  it("gets the rest of a body that the program has begun", async () => {
    for (const send of [SENDERS["sendFile()"]!.send, SENDERS["transfer() of a stream"]!.send]) {
      const { bytes, outcome } = await exchange((res, req) => {
        res.writeHead(200, { "Content-Length": content.length + 3 }).write("abc");
        return send(res, req);
      });
      assert.equal((outcome as { bytes: number }).bytes, content.length);
      const at = bytes.indexOf("\r\n\r\nabc") + 7;
      assert.ok(bytes.subarray(at, at + content.length).equals(content));
      assert.match(bytes.toString("latin1", at + content.length), /^HTTP\/1\.1 200 [^]*NEXT$/);
    }
  });
});

describe("a response that wants HTTP chunks", () => {
  const FILES: Record<string, Send> = {
    "sendFile()": (res) => sendFile(res, path),
    "transfer()": (res) => transfer(path, res),
    "respondWithFile()": (res, req) => respondWithFile(req, res, path),
  };
  for (const [name, send] of Object.entries(FILES)) {
    for (
      const [field, value] of [["Transfer-Encoding", "chunked"], ["Trailer", "X-Sum"]] as const
    ) {
      it(`gets them, and no Content-Length: ${name}, ${field}`, async () => {
        const { bytes, outcome } = await exchange(async (res, req) => {
          res.setHeader(field, value);
          return await send(res, req);
        });
        assert.ok(!(outcome instanceof Error), String(outcome));
        const end = bytes.indexOf("\r\n\r\n");
        const head = bytes.toString("latin1", 0, end);
        assert.match(head, /^transfer-encoding: chunked$/mi);
        assert.doesNotMatch(head, /^content-length:/mi);
        const { body, rest } = unchunked(bytes.subarray(end + 4));
        assert.ok(body.equals(content));
        assert.match(rest, /^HTTP\/1\.1 200 [^]*NEXT/);
      });
    }
  }
});

/** The body behind chunks, and what follows it. */
function unchunked(bytes: Buffer): { body: Buffer; rest: string } {
  const parts: Buffer[] = [];
  for (;;) {
    const line = bytes.indexOf("\r\n");
    const length = Number.parseInt(bytes.toString("latin1", 0, line), 16);
    assert.ok(length >= 0, "a chunk has a length");
    parts.push(bytes.subarray(line + 2, line + 2 + length));
    bytes = bytes.subarray(line + 2 + length + 2);
    if (length === 0) return { body: Buffer.concat(parts), rest: bytes.toString("latin1") };
  }
}
