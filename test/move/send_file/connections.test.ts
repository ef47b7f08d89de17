/** sendFile() to responses of node:http, whatever the program and the client do with the connection. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sendFile } from "../../../src/mod.ts";
import { available } from "../../../src/sys/libc.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { describeWithoutLeaks, openDescriptors } from "../../_kit/leaks.ts";
import { responses, talk } from "../../_kit/raw_http.ts";
import { withServer } from "../../_kit/serve.ts";
import { HOST } from "../../_kit/targets_net.ts";

const BUN = "Bun" in globalThis;
const ONLY_BUN = BUN ? false : "elsewhere, the runtime shows the descriptor";
const NO_CALLS = available() ? false : "needs foreign calls";

const folder = new Folder();
after(() => folder.remove());
const SIZE = 1_000_003;
const bodies = [1, 2, 3].map((seed) => noise(SIZE, seed));
const paths = bodies.map((body) => folder.file(body));

type Prepare = (res: ServerResponse, req: IncomingMessage) => void | Promise<void>;

/** Asks with the given requests on one connection; the methods by which file N went to `/N`. */
async function ask(
  text: string,
  prepare: Prepare = () => {},
): Promise<{ readonly answers: ReturnType<typeof responses>; readonly methods: string[] }> {
  const methods: string[] = [];
  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    await prepare(res, req);
    const index = Number(req.url!.slice(1));
    methods[index] = (await sendFile(res, paths[index]!)).method;
  };
  return await withServer((req, res) => void answer(req, res), async (port) => {
    const asked = text.split("\r\n\r\n").slice(0, -1).map((head) => head.split(" ")[0]!);
    return { answers: responses(await talk(port, text), asked), methods };
  });
}

const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const LAST = "Connection: close\r\n";

function assertBodies({ answers }: Awaited<ReturnType<typeof ask>>, expected: number[]): void {
  assert.equal(answers.length, expected.length);
  expected.forEach((index, i) => assert.ok(answers[i]!.body.equals(bodies[index]!), `answer ${i}`));
}

const warmUp = () => ask(get("/0", LAST));
describeWithoutLeaks("sendFile() to a response", { skip: NO_CALLS, warmUp }, () => {
  it("answers pipelined requests in their order", async () => {
    const asked = await ask(get("/0") + get("/1") + get("/2", LAST));
    assertBodies(asked, [0, 1, 2]);
    // On Bun, a response that waits for another one has no connection yet.
    const later = BUN ? "copy" : "sendfile";
    assert.deepEqual(asked.methods, ["sendfile", later, later]);
  });

  it("answers the slower of pipelined requests first if it came first", async () => {
    const asked = await ask(
      get("/0") + get("/1", LAST),
      async (_, { url }) => void (url === "/0" && await sleep(100)),
    );
    assertBodies(asked, [0, 1]);
  });

  it("answers HTTP/1.0, and ends the connection", async () => {
    const asked = await ask("GET /1 HTTP/1.0\r\n\r\n");
    assertBodies(asked, [1]);
    assert.deepEqual(asked.methods, [, "sendfile"]);
  });

  it("sends what the program adds to the head at the last moment", async () => {
    const asked = await ask(get("/0", LAST), (res) => {
      const { writeHead } = res;
      res.writeHead = function (this: ServerResponse, ...args: never[]) {
        this.setHeader("X-Late", "1");
        return Reflect.apply(writeHead, this, args);
      };
    });
    assertBodies(asked, [0]);
    assert.equal(asked.answers[0]!.headers.get("x-late"), "1");
    assert.deepEqual(asked.methods, ["sendfile"]);
  });

  it("copies where the program has replaced write() or end()", async () => {
    for (const name of ["write", "end"] as const) {
      let calls = 0;
      const asked = await ask(get("/0", LAST), (res) => {
        const original = res[name];
        res[name] = function (this: ServerResponse, ...args: never[]) {
          calls++;
          return Reflect.apply(original, this, args);
        } as never;
      });
      assertBodies(asked, [0]);
      assert.deepEqual(asked.methods, ["copy"], name);
      assert.ok(calls > 0);
    }
  });

  it("sends after a head that has left before", async () => {
    const asked = await ask(get("/2", LAST), async (res) => {
      res.setHeader("Content-Length", SIZE);
      res.flushHeaders();
      await sleep(50);
    });
    assertBodies(asked, [2]);
  });

  it("fails when the program ends the connection under a client that does not read", async () => {
    const long = folder.file(noise(24_000_000, 5));
    const ways: ((req: IncomingMessage, res: ServerResponse, server: Server) => unknown)[] = [
      (_, res) => res.destroy(),
      (req) => req.destroy(),
      (req) => req.socket.destroy(),
      (_req, _res, server) => server.closeAllConnections(),
    ];
    for (const [index, way] of ways.entries()) {
      const server = createServer();
      const outcome = Promise.withResolvers<string>();
      await withServer(
        (req, res) => {
          sendFile(res, long).then(
            () => outcome.resolve("complete"),
            ({ code }) => outcome.resolve(code),
          );
          setTimeout(() => way(req, res, server), 200);
        },
        async (port) => {
          const socket = connect(port, HOST).on("error", () => {}).pause();
          socket.write(get("/"));
          assert.match(await outcome.promise, /^(EPIPE|ECONNRESET)$/, `way ${index}`);
          socket.destroy();
        },
        server,
      );
    }
  });

  it("gives the connection to the next request with nothing left on it", async () => {
    await withServer((req, res) => {
      if (req.url === "/small") res.end("small");
      else void sendFile(res, paths[Number(req.url!.slice(1))]!);
    }, async (port) => {
      const socket = connect(port, HOST);
      await once(socket, "connect");
      let before = 0;
      let received = Buffer.alloc(0);
      socket.on("data", (bytes: Buffer) => received = Buffer.concat([received, bytes]));
      for (let i = 0; i < 20; i++) {
        for (
          const [path, body] of [[`/${i % 3}`, bodies[i % 3]!], ["/small", Buffer.from("small")]]
        ) {
          received = Buffer.alloc(0);
          socket.write(get(path as string));
          const end = () => received.indexOf("\r\n\r\n") + 4;
          while (end() < 4 || received.length < end() + body!.length) await once(socket, "data");
          assert.ok(received.subarray(end()).equals(body as Buffer), `${i} ${path}`);
        }
        if (i === 0) before = openDescriptors().length;
      }
      assert.ok(openDescriptors().length <= before, openDescriptors().join());
      socket.destroy();
    });
  });
});

const NO_BUN = ONLY_BUN || NO_CALLS;

describe("sendFile() to a response of Bun", () => {
  it("copies few bytes", { skip: NO_BUN }, async () => {
    const path = folder.file(noise(100_000, 4));
    await withServer((_, res) => {
      void sendFile(res, path).then(({ method }) => assert.equal(method, "copy"));
    }, async (port) => {
      assert.equal(responses(await talk(port, get("/", LAST)), ["GET"])[0]!.body.length, 100_000);
    });
  });

  it("copies where the descriptor is not found, or Bun holds bytes", { skip: NO_BUN }, async () => {
    const properties: [string, (res: ServerResponse) => object, unknown][] = [
      ["remotePort", (res) => res.socket!, 1],
      ["remoteAddress", (res) => res.socket!, "192.0.2.1"],
      ["localPort", (res) => res.socket!, 1],
      ["writableLength", (res) => res, 1],
    ];
    for (const [name, of, value] of properties) {
      const asked = await ask(get("/0", LAST), (res) => {
        Object.defineProperty(of(res), name, { value, configurable: true });
      });
      assertBodies(asked, [0]);
      assert.deepEqual(asked.methods, ["copy"], name);
    }
  });
});
