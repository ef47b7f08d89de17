/** A response gets one body, and a head that fits it, whatever the program does meanwhile. */

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { after, describe, it } from "node:test";
import { respondWithFile, serveStatic } from "../../src/http/mod.ts";
import { broadcast, sendFile, transfer } from "../../src/mod.ts";
import { Folder, noise } from "../_kit/bytes.ts";
import { requestText, talk } from "../_kit/raw_http.ts";
import { listen, stop } from "../_kit/targets_net.ts";

const small = Buffer.from("hello\n");
const large = noise(1_500_000);
const folder = new Folder();
const FILES = {
  "a small file": [small, folder.file(small)],
  "a large file": [large, folder.file(large)],
};
after(() => folder.remove());

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

/** All that the server sends for one request and, on the same connection, for `/next`. */
async function answers(handler: Handler): Promise<string> {
  const server = createServer((req, res) => {
    if (req.url === "/next") return void res.end("NEXT");
    handler(req, res);
  });
  const port = await listen(server);
  try {
    const next = requestText("/next", { Connection: "close" });
    return (await talk(port, requestText("/") + next)).toString("latin1");
  } finally {
    server.closeAllConnections();
    await stop(server);
  }
}

/** The head, the body and what follows it, by the Content-Length. */
function parts(text: string): { head: string; body: string; rest: string } {
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end);
  const length = Number(/^content-length: *(\d+)$/mi.exec(head)?.[1] ?? 0);
  return { head, body: text.slice(end + 4, end + 4 + length), rest: text.slice(end + 4 + length) };
}

/** Each sends a file as the body of a response. */
const SENDERS: Record<
  string,
  (req: IncomingMessage, res: ServerResponse, path: string) => Promise<unknown>
> = {
  "sendFile()": (_, res, path) => sendFile(res, path),
  "transfer()": (_, res, path) => transfer(path, res),
  "broadcast()": async (_, res, path) => {
    const { targets: [report] } = await broadcast(path, [res]);
    if (report!.error !== undefined) throw report!.error;
  },
  "respondWithFile()": (req, res, path) => respondWithFile(req, res, path),
};

describe("two bodies for one response", () => {
  for (const [size, [content, path]] of Object.entries(FILES) as [string, [Buffer, string]][]) {
    for (const first of Object.keys(SENDERS)) {
      for (const second of Object.keys(SENDERS)) {
        it(`sends one of them and refuses the other: ${first}, ${second}, ${size}`, async () => {
          let settled: PromiseSettledResult<unknown>[] = [];
          const text = await answers(async (req, res) => {
            // Without it, transfer() and broadcast() use chunks.
            res.setHeader("Content-Length", content.length);
            settled = await Promise.allSettled(
              [first, second].map((name) => SENDERS[name]!(req, res, path)),
            );
          });
          const { body, rest } = parts(text);
          assert.ok(body === content.toString("latin1"), "the body is the file");
          assert.match(rest, /^HTTP\/1\.1 200 [^]*NEXT$/);
          const refused = settled.filter(({ status }) => status === "rejected");
          assert.equal(refused.length, 1);
          const { reason } = refused[0] as PromiseRejectedResult;
          assert.match(String(reason), /EBUSY|EPIPE|something else is|have been sent/);
        });
      }
    }
  }

  it("leaves the response free after a failure", async () => {
    const text = await answers(async (_, res) => {
      await assert.rejects(sendFile(res, `${folder.path}/absent`), { code: "ENOENT" });
      await sendFile(res, FILES["a small file"]![1] as string);
    });
    assert.equal(parts(text).body, String(small));
  });
});

describe("the hook setHeaders", () => {
  const names: Record<string, string> = {};
  for (const [size, [, path]] of Object.entries(FILES)) {
    names[size] = `/${String(path).split("/").at(-1)}`;
  }
  const answered = async (
    size: string,
    hook: (res: ServerResponse) => void,
    before?: (res: ServerResponse) => void,
  ) => {
    const serve = serveStatic(folder.path, { setHeaders: hook });
    try {
      return await answers((req, res) => {
        before?.(res);
        req.url = names[size]!;
        serve(req, res);
      });
    } finally {
      serve.close();
    }
  };
  for (const [size, [content]] of Object.entries(FILES) as [string, [Buffer, string]][]) {
    it(`cannot change the length of the body: ${size}`, async () => {
      const { head, body, rest } = parts(
        await answered(size, (res) => res.setHeader("Content-Length", 3)),
      );
      assert.equal(head.match(/^content-length:/gmi)?.length, 1);
      assert.ok(body === content.toString("latin1"));
      assert.match(rest, /^HTTP\/1\.1 200 [^]*NEXT$/);
    });

    it(`can ask for HTTP chunks, without a length: ${size}`, async () => {
      for (const [field, value] of [["Transfer-Encoding", "chunked"], ["Trailer", "X-Sum"]]) {
        const text = await answered(size, (res) => res.setHeader(field!, value!));
        const { head } = parts(text);
        assert.match(head, /^HTTP\/1\.1 200 /);
        assert.match(head, /^transfer-encoding: chunked$/mi);
        assert.doesNotMatch(head, /^content-length:/mi);
        assert.match(text, /\r\n0\r\n\r\nHTTP\/1\.1 200 [^]*NEXT$/);
      }
    });

    it(`can answer by itself: ${size}`, async () => {
      const { head, rest } = parts(
        await answered(size, (res) => {
          res.statusCode = 403;
          res.end();
        }),
      );
      assert.match(head, /^HTTP\/1\.1 403 /);
      assert.doesNotMatch(head, /^content-length: [1-9]/mi);
      assert.match(rest.replace(/^0\r\n\r\n/, ""), /^HTTP\/1\.1 200 [^]*NEXT$/);
    });

    it(`can choose a status without a body, which has no length: ${size}`, async () => {
      const set = (res: ServerResponse) => void (res.statusCode = 204);
      for (const texts of [answered(size, set), answered(size, () => {}, set)]) {
        const { head, rest } = parts(await texts);
        assert.match(head, /^HTTP\/1\.1 204 /);
        assert.doesNotMatch(head, /^content-length:/mi);
        assert.match(rest, /^HTTP\/1\.1 200 [^]*NEXT$/);
      }
    });
  }
});

describe("a status of the program", () => {
  it("has no Content-Length if it is 204", async () => {
    for (const name of ["sendFile()", "transfer()", "respondWithFile()"]) {
      const text = await answers((req, res) => {
        res.statusCode = 204;
        return SENDERS[name]!(req, res, FILES["a small file"]![1] as string);
      });
      const { head, rest } = parts(text);
      assert.match(head, /^HTTP\/1\.1 204 /, name);
      assert.doesNotMatch(head, /^content-length:/mi, name);
      assert.match(rest, /^HTTP\/1\.1 200 [^]*NEXT$/, name);
    }
  });

  it("takes its reason phrase along when another status is sent", async () => {
    const serve = serveStatic(folder.path);
    const text = await answers((req, res) => {
      res.statusMessage = "All Is Well";
      req.url = "/absent";
      serve(req, res);
    });
    serve.close();
    assert.match(text, /^HTTP\/1\.1 404 Not Found\r\n/);
  });
});
