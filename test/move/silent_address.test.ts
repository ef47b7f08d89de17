/** An upstream whose first address does not answer: the next is tried after 250 ms (RFC 8305). */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { promises as dns } from "node:dns";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import { createFileServer } from "../../src/http/mod.ts";
import { createRelay } from "../../src/mod.ts";
import { commandLine } from "../_kit/child.ts";
import { fetchRaw } from "../_kit/raw_http.ts";

const SILENT = "127.0.0.2";
const ANSWERING = "127.0.0.1";
const FIXTURE = new URL("./_fixtures/silent_listener.ts", import.meta.url);

const LINUX = process.platform === "linux" ? false : "other systems refuse what is not accepted";

/** More connections than any runtime lets wait; the first one that is not taken ends the search. */
const MOST = 2000;

/** Fills the queue of a listener that does not accept. */
async function fill(port: number): Promise<Socket[]> {
  const waiting: Socket[] = [];
  while (waiting.length < MOST) {
    const socket = connect({ host: SILENT, port });
    socket.on("error", () => {});
    waiting.push(socket);
    const taken = await Promise.race([
      once(socket, "connect").then(() => true),
      new Promise<boolean>((resolve) => setTimeout(resolve, 300, false)),
    ]);
    if (!taken) return waiting;
  }
  throw new Error(`The listener takes more than ${MOST} connections`);
}

describe("an upstream whose first address does not answer", { skip: LINUX }, () => {
  const { lookup } = dns;
  const cleanUp: (() => unknown)[] = [];
  let port = 0;

  before(async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
      });
    }).listen(0, ANSWERING);
    cleanUp.push(() => server.close());
    await once(server, "listening");
    port = (server.address() as { port: number }).port;

    const [program, ...args] = commandLine(FIXTURE, [SILENT, String(port)]);
    const child = spawn(program!, args, { stdio: ["ignore", "pipe", "inherit"] });
    cleanUp.push(() => child.kill("SIGKILL"));
    await Promise.race([
      once(child.stdout!, "data"),
      once(child, "exit").then(([code]) => Promise.reject(new Error(`ended with ${code}`))),
    ]);
    process.kill(child.pid!, "SIGSTOP");
    for (const socket of await fill(port)) cleanUp.push(() => socket.destroy());

    const found = [SILENT, ANSWERING].map((address) => ({ address, family: 4 }));
    dns.lookup = (() => Promise.resolve(found)) as unknown as typeof lookup;
    cleanUp.push(() => dns.lookup = lookup);
  });
  after(async () => {
    for (const undo of cleanUp.splice(0).reverse()) await undo();
  });

  /** The next address is not tried at once, and not only when the first attempt is given up. */
  async function assertInTime(work: () => Promise<string>, expected: RegExp): Promise<void> {
    const startMs = performance.now();
    assert.match(await work(), expected);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs > 100 && tookMs < 8000, `${tookMs} ms`);
  }

  async function received(port: number): Promise<string> {
    const client = connect(port, ANSWERING);
    client.on("error", () => {});
    let text = "";
    client.on("data", (chunk) => text += chunk);
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => client.on("close", resolve));
    return text;
  }

  it("createRelay() reaches the next one", async () => {
    const server = createRelay({ listen: ":0", upstream: `a.test:${port}` });
    try {
      const address = await server.listen() as { port: number };
      await assertInTime(() => received(address.port), /hello$/);
    } finally {
      await server.close();
    }
  });

  it("the fallback of a file server reaches the next one", async () => {
    const root = import.meta.dirname!;
    const server = createFileServer({ root, host: ANSWERING, fallback: `a.test:${port}` });
    try {
      const address = await server.listen();
      await assertInTime(async () => {
        const { body, status } = await fetchRaw(address.port!, "/absent");
        return `${status} ${body}`;
      }, /^200 hello$/);
    } finally {
      await server.close({ graceMs: 0 });
    }
  });
});
