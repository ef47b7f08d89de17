import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { after, describe, it } from "node:test";
import { sendFile } from "../../../src/move/send_file/send_file.ts";
import type { SendResult } from "../../../src/move/send_file/types.ts";
import { Folder, noise, Reader, sha256 } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { bypassesHttp } from "../../_kit/serve.ts";
import { TARGETS, withPair } from "../../_kit/targets.ts";
import { HOST, listen, stop } from "../../_kit/targets_net.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const folder = new Folder();
const small = noise(10 * KIB, 1);
const large = noise(3 * MIB, 2);
const smallPath = folder.file(small);
const largePath = folder.file(large);
const text = (value: string) => Buffer.from(value);
after(() => folder.remove());

/** Bun's own sockets leave to the caller what the kernel does not take; a descriptor has no owner. */
const KEEPS_NOTHING = "nothing is ever queued here";
/** sendFile() serialises by target object; a number may be anybody's. */
const NO_OBJECT = "a number is not a connection that could be waited for";

for (const row of TARGETS.filter(({ kind }) => kind !== "response")) {
  const { skip } = row;
  const warmUp = () => withPair(row, ({ target }) => sendFile(target, smallPath));
  describeWithoutLeaks(`order on: ${row.name}`, { skip, warmUp }, () => {
    it("sends header, file and trailer", { skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        const header = text("header"), trailer = noise(100 * KIB, 3);
        const result = await sendFile(target, largePath, { header, trailer });
        assert.equal(result.bytes, large.length);
        assert.equal(result.method, row.methodFor(result.bytes));
        end();
        await reader.closed;
        await reader.expect(Buffer.concat([header, large, trailer]));
      });
    });

    it("sends header and trailer of an empty range", { skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        const options = { length: 0, header: text("("), trailer: text(")") };
        const result = await sendFile(target, smallPath, options);
        assert.deepEqual([result.bytes, result.method], [0, "none"]);
        end();
        await reader.closed;
        await reader.expect(text("()"));
      });
    });

    it(
      "sends after what was written before, and before what is written after",
      { skip },
      async () => {
        await withPair(row, async ({ target, reader, write, end }) => {
          write!(text("before"));
          await sendFile(target, largePath);
          // A pipe is full by now.
          await reader.take(6 + large.length);
          write!(text("after"));
          await reader.expect(Buffer.concat([text("before"), large, text("after")]));
          end();
        });
      },
    );

    const unqueued = skip || (/Bun\.|descriptor/.test(row.name) && KEEPS_NOTHING);
    it("sends after what is still queued", { skip: unqueued }, async () => {
      await withPair(row, async ({ target, reader, write, queue }) => {
        reader.stream.pause();
        const queued = await queue!();
        const sent = sendFile(target, largePath, { header: text("[") });
        setTimeout(() => reader.stream.resume(), 50);
        await sent;
        write!(text("]"));
        await reader.expect(Buffer.concat([await queued(), text("["), large, text("]")]));
      });
    });

    const numbered = skip || (row.kind === "descriptor" && NO_OBJECT);
    it("sends several files in the order of the calls", { skip: numbered }, async () => {
      await withPair(row, async ({ target, reader }) => {
        await Promise.all([
          sendFile(target, largePath, { header: text("1") }),
          sendFile(target, smallPath, { header: text("2") }),
          sendFile(target, `${smallPath}.missing`).catch(() => {}),
          sendFile(target, largePath, { header: text("3"), start: 1 * MIB }),
        ]);
        await reader.expect(
          Buffer.concat([text("1"), large, text("2"), small, text("3"), large.subarray(MIB)]),
        );
      });
    });
  });
}

describe("header, file and trailer leave in one burst", () => {
  for (
    const row of TARGETS.filter(({ kind, method }) => kind === "socket" && method === "sendfile")
  ) {
    it(`on: ${row.name}`, { skip: row.skip }, async () => {
      await withPair(row, async ({ target, reader }) => {
        let pieces = 0;
        reader.stream.on("data", () => pieces++);
        const options = { header: text("head"), trailer: text("tail") };
        await sendFile(target, smallPath, options);
        await reader.expect(Buffer.concat([text("head"), small, text("tail")]));
        // A Unix socket knows no cork: its parts may be read one by one.
        assert.ok(pieces <= (row.name.includes("Unix") ? 3 : 1), `${pieces} pieces`);
      });
    });
  }
});

const BODIES = [small, large, text("")];
const paths = [smallPath, largePath, folder.file("")];

/** A server that answers `/N` with file N modulo 3. */
async function withServer(body: (port: number, results: SendResult[]) => Promise<void>) {
  const results: SendResult[] = [];
  const server = createServer((req, res) => {
    const index = Number(req.url!.slice(1));
    sendFile(res, paths[index % 3]!).then((result) => results[index] = result, () => {});
  });
  const port = await listen(server);
  try {
    await body(port, results);
  } finally {
    server.closeAllConnections();
    await stop(server);
  }
}

const warmUp = () => withServer(() => Promise.resolve());
describeWithoutLeaks("order of HTTP responses", { warmUp }, () => {
  const methods = BODIES.map(({ length }) =>
    length === 0 ? "none" : bypassesHttp(length) ? "sendfile" : "copy"
  );

  it("answers 50 requests on one connection", async () => {
    await withServer(async (port, results) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      let reused = 0;
      for (let i = 0; i < 50; i++) {
        const request = get({ host: HOST, port, agent, path: `/${i}` });
        const [response] = await once(request, "response") as [IncomingMessage];
        if (request.reusedSocket) reused++;
        const reader = new Reader(response);
        assert.equal(await reader.closed, "end");
        assert.equal(sha256(reader.bytes()), sha256(BODIES[i % 3]!), `response ${i}`);
      }
      agent.destroy();
      assert.equal(reused, 49);
      assert.ok(results.every((result, i) => result.method === methods[i % 3]));
    });
  });

  it("answers 10 pipelined requests in order", async () => {
    await withServer(async (port) => {
      const socket = connect(port, HOST);
      const reader = new Reader(socket);
      const requests = Array.from({ length: 10 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: x\r\n`);
      socket.write(requests.join("\r\n") + "Connection: close\r\n\r\n");
      await reader.closed;
      let rest = reader.bytes();
      for (let i = 0; i < 10; i++) {
        const head = rest.subarray(0, rest.indexOf("\r\n\r\n") + 4).toString();
        const body = BODIES[i % 3]!;
        assert.match(head, /^HTTP\/1\.1 200 OK\r\n/, `response ${i}`);
        assert.match(head, new RegExp(`\r\ncontent-length: ${body.length}\r\n`, "i"));
        assert.equal(sha256(rest.subarray(head.length).subarray(0, body.length)), sha256(body));
        rest = rest.subarray(head.length + body.length);
      }
      assert.equal(rest.length, 0);
    });
  });
});
