import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request as requestHttp, type RequestListener } from "node:http";
import {
  Agent,
  createServer,
  request,
  type RequestOptions,
  type Server,
  type ServerOptions,
} from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { probeKernelTls } from "../../src/probe/sockets.ts";
import { cryptoInfo, trafficSecret } from "../../src/runtime/kernel_tls/keys.ts";
import { RecordReader } from "../../src/runtime/kernel_tls/records.ts";
import { prepare } from "../../src/runtime/kernel_tls/server.ts";
import type { KernelCalls } from "../../src/runtime/kernel_tls/tunnel.ts";
import { sendFile } from "../../src/move/send_file/send_file.ts";
import { EAGAIN } from "../../src/errno.ts";
import { capabilities } from "../../src/capabilities.ts";
import { Folder, noise, Reader, sha256 } from "../_kit/bytes.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { RUNTIME } from "../_kit/targets.ts";
import { HOST, listen, stop } from "../_kit/targets_net.ts";

const NEEDS_NODE = RUNTIME === "node" && capabilities().backend !== null
  ? false
  : "only Node.js shows the secrets of its TLS, and only foreign calls reach its sockets";

const MANY = noise(3_000_000);
const folder = new Folder();
const path = folder.file(MANY);
after(() => folder.remove());

/** Encrypts as the kernel would, so that a machine without kernel TLS can test all but sendfile(2). */
class SimulatedKernel implements KernelCalls {
  /** Number of the first record of each connection. */
  readonly first: bigint[] = [];
  /** Whether the key was seen again after the call. */
  readonly infos: Uint8Array[] = [];
  alerts = 0;
  /** Calls for which the socket is full. */
  full = 0;
  result = 0;
  readonly #sockets = new Map<number, Socket>();
  readonly #seal = new Map<number, (type: number, bytes: Uint8Array) => Uint8Array>();

  add(socket: Socket): void {
    const { _handle: { fd } } = socket as unknown as { _handle: { fd: number } };
    this.#sockets.set(fd, socket);
  }

  encrypt(fd: number, info: Uint8Array): number {
    if (this.result < 0) return this.result;
    const socket = this.#sockets.get(fd)!;
    const keyBytes = info.length - 24;
    const name = keyBytes === 16 ? "aes-128-gcm" : "aes-256-gcm";
    const iv = info.slice(4, 12);
    const key = info.slice(12, 12 + keyBytes);
    const nonce = Buffer.concat([info.slice(12 + keyBytes, 16 + keyBytes), iv]);
    let number = Buffer.from(info.slice(-8)).readBigUInt64BE();
    this.first.push(number);
    this.infos.push(info);
    const seal = (type: number, bytes: Uint8Array) => {
      const own = Buffer.from(nonce);
      own.writeBigUInt64BE(own.readBigUInt64BE(4) ^ number++, 4);
      const header = Buffer.from([23, 3, 3, 0, 0]);
      header.writeUInt16BE(bytes.length + 17, 3);
      const cipher = createCipheriv(name, key, own).setAAD(header);
      const sealed = [cipher.update(bytes), cipher.update(Uint8Array.of(type)), cipher.final()];
      return Buffer.concat([header, ...sealed, cipher.getAuthTag()]);
    };
    this.#seal.set(fd, seal);
    const { write } = socket;
    socket.write = (chunk: Uint8Array | string, encoding?: unknown, done?: unknown) => {
      const bytes = typeof chunk === "string"
        ? Buffer.from(chunk, encoding as BufferEncoding)
        : chunk;
      const records: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += 16_384) {
        records.push(seal(23, bytes.subarray(at, at + 16_384)));
      }
      return write.call(
        socket,
        Buffer.concat(records),
        "buffer" as BufferEncoding,
        done as () => void,
      );
    };
    return 0;
  }

  sendCloseNotify(fd: number): number {
    if (this.full-- > 0) return EAGAIN;
    this.alerts++;
    const socket = this.#sockets.get(fd)!;
    // A socket that is not full takes it at once.
    Object.getPrototypeOf(socket).write.call(socket, this.#seal.get(fd)!(21, Uint8Array.of(1, 0)));
    return 2;
  }
}

interface Site {
  readonly port: number;
  readonly kernel: SimulatedKernel;
  /** Sends a request on a connection of `agent`, and returns the body. */
  get(path: string, options?: RequestOptions): Promise<Buffer>;
}

/** Runs `body` with a prepared server. */
async function withSite(
  handler: RequestListener,
  options: ServerOptions,
  body: (site: Site) => Promise<void>,
  configure: (server: Server) => void = () => {},
): Promise<void> {
  const kernel = new SimulatedKernel();
  const server = createServer({ key: KEY, cert: CERTIFICATE, ...options }, handler);
  server.on("connection", (socket) => kernel.add(socket));
  assert.ok(prepare(server, kernel));
  configure(server);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const port = await listen(server);
  try {
    const get = async (path: string, given: RequestOptions = {}) => {
      const client = request({ host: HOST, port, path, agent, ca: CERTIFICATE, ...given }).end();
      const [message] = await once(client, "response") as [IncomingMessage];
      const reader = new Reader(message);
      assert.equal(await reader.closed, "end");
      return reader.bytes();
    };
    await body({ port, kernel, get });
  } finally {
    agent.destroy();
    server.closeAllConnections();
    await stop(server);
  }
}

/** Answers with the number of bytes that the path names; so late that the kernel has the key. */
const answer: RequestListener = async ({ url }, res) => {
  const length = Number(url!.slice(1));
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  res.writeHead(200, { "content-length": length });
  res.end(MANY.subarray(0, length));
};

const SIZES = [0, 1, 5, 16_384, 300_000, MANY.length];

async function assertAnswers({ get }: Site): Promise<void> {
  for (const size of SIZES) {
    const body = await get(`/${size}`);
    assert.equal(sha256(body), sha256(MANY.subarray(0, size)));
  }
}

/** Opens a connection of its own. */
async function dial(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connect({ host: HOST, port, ca: CERTIFICATE, ...options });
  await once(socket, "secureConnect");
  return socket;
}

const GET = (path: string, close = false) =>
  `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${close ? "connection: close\r\n" : ""}\r\n`;

describe("the keys of kernel TLS", () => {
  // RFC 8448, section 3: "Simple 1-RTT Handshake".
  const secret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

  it("are derived as the RFC says", () => {
    const info = cryptoInfo("TLS_AES_128_GCM_SHA256", Buffer.from(secret, "hex"), 2);
    assert.equal(Buffer.from(info.subarray(2, 4)).readUInt16LE(), 51);
    assert.equal(Buffer.from(info.subarray(4, 12)).toString("hex"), "dd83549aadf1e984");
    assert.equal(
      Buffer.from(info.subarray(12, 28)).toString("hex"),
      "9f02283b6c9c07efc26bb9f2ac92e356",
    );
    assert.equal(Buffer.from(info.subarray(28)).toString("hex"), "cf782b880000000000000002");
  });

  it("come from the line with the server's secret only", () => {
    const line = (label: string) => Buffer.from(`${label} ${"0a".repeat(32)} ${secret}\n`);
    assert.equal(
      Buffer.from(trafficSecret(line("SERVER_TRAFFIC_SECRET_0"))!).toString("hex"),
      secret,
    );
    for (const label of ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_01", ""]) {
      assert.equal(trafficSecret(line(label)), undefined);
    }
  });

  it("need whole records, which may come in pieces", () => {
    const seen: number[][] = [];
    const reader = new RecordReader((...record) => void seen.push(record));
    const records = Buffer.from([22, 3, 3, 0, 1, 9, 23, 3, 3, 1, 0, ...Buffer.alloc(256)]);
    for (const byte of records.subarray(0, 8)) reader.push(Uint8Array.of(byte));
    assert.deepEqual([seen, reader.whole], [[[22, 1]], false]);
    reader.push(records.subarray(8));
    assert.deepEqual([seen, reader.whole], [[[22, 1], [23, 256]], true]);
  });
});

describe("a server of node:https with kernel TLS", () => {
  for (const ciphers of ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]) {
    it(`answers many requests of one connection, ${ciphers}`, { skip: NEEDS_NODE }, async () => {
      await withSite(answer, { ciphers }, async (site) => {
        await assertAnswers(site);
        await assertAnswers(site);
        assert.deepEqual(site.kernel.first, [2n]);
        assert.deepEqual([...new Set(site.kernel.infos.flatMap((info) => [...info]))], [0]);
      });
    });
  }

  it("counts no tickets after a resumed handshake", { skip: NEEDS_NODE }, async () => {
    await withSite(answer, {}, async ({ port, kernel }) => {
      const first = await dial(port);
      const session = once(first, "session") as Promise<[Buffer]>;
      first.resume().write(GET("/5"));
      const [ticket] = await session;
      first.destroy();
      const second = await dial(port, { session: ticket });
      assert.ok(second.isSessionReused());
      const reader = new Reader(second);
      second.write(GET("/300000", true));
      assert.equal(await reader.closed, "end");
      assert.equal(sha256(reader.bytes().subarray(-300_000)), sha256(MANY.subarray(0, 300_000)));
      assert.deepEqual(kernel.first, [2n, 0n]);
    });
  });

  it("takes a connection over between responses, with the number of the next record", {
    skip: NEEDS_NODE,
  }, async () => {
    await withSite(
      (req, res) => {
        if (req.url === "/early") res.end("early");
        else answer(req, res);
      },
      {},
      async ({ port, kernel }) => {
        // Written before the handshake is complete, it arrives with the last message of the client.
        const socket = connect({ host: HOST, port, ca: CERTIFICATE });
        const reader = new Reader(socket);
        socket.write(GET("/early") + GET("/16384"));
        while (reader.length < 16_384) await once(socket, "data");
        socket.write(GET("/300000", true));
        assert.equal(await reader.closed, "end");
        const body = reader.bytes();
        assert.match(body.toString("latin1"), /\r\n\r\n5?\r?\n?early/);
        assert.equal(sha256(body.subarray(-300_000)), sha256(MANY.subarray(0, 300_000)));
        assert.equal(kernel.first.length, 1);
        assert.ok(kernel.first[0]! > 2n);
      },
    );
  });

  it("leaves a connection as it is if the kernel refuses", { skip: NEEDS_NODE }, async () => {
    await withSite(answer, {}, async (site) => {
      site.kernel.result = -2;
      await assertAnswers(site);
      assert.deepEqual(site.kernel.first, []);
    });
  });

  const UNCHANGED: Record<string, ServerOptions> = {
    "TLS 1.2": { maxVersion: "TLSv1.2" },
    "another cipher": { ciphers: "TLS_CHACHA20_POLY1305_SHA256" },
  };
  for (const [what, options] of Object.entries(UNCHANGED)) {
    it(`leaves connections with ${what} as they are`, { skip: NEEDS_NODE }, async () => {
      await withSite(answer, options, async (site) => {
        await assertAnswers(site);
        assert.deepEqual(site.kernel.first, []);
      });
    });
  }

  it("is not prepared if it is another kind of server, or sends tickets later", {
    skip: NEEDS_NODE,
  }, () => {
    const kernel = new SimulatedKernel();
    assert.equal(prepare({}, kernel), false);
    const server = createServer({ key: KEY, cert: CERTIFICATE });
    server.on("newSession", (_id, _data, done) => done());
    assert.equal(prepare(server, kernel), false);
    assert.equal(server.listenerCount("keylog"), 0);
  });

  it("ends with close_notify after the last response, and without it when cut off", {
    skip: NEEDS_NODE,
  }, async () => {
    await withSite(
      (req, res) => {
        if (req.url === "/cut") {
          res.writeHead(200, { "content-length": 1000 });
          setTimeout(() => res.write("some", () => res.destroy()), 20);
        } else answer(req, res);
      },
      {},
      async ({ port, kernel }) => {
        kernel.full = 2;
        const ended = await dial(port);
        const whole = new Reader(ended);
        ended.write(GET("/16384", true));
        assert.equal(await whole.closed, "end");
        assert.equal(kernel.alerts, 1);
        const cut = await dial(port);
        const reader = new Reader(cut);
        cut.write(GET("/cut"));
        await reader.closed;
        assert.ok(reader.bytes().toString().endsWith("\r\n\r\nsome"));
        assert.deepEqual([kernel.alerts, kernel.first.length], [1, 2]);
      },
    );
  });

  it("shows the addresses of the client, and takes its bytes", { skip: NEEDS_NODE }, async () => {
    await withSite(
      (req, res) => {
        const { remoteAddress, remotePort, localPort, remoteFamily } = req.socket;
        req.socket.setNoDelay(true).setKeepAlive(false).ref();
        const upload = new Reader(req);
        upload.closed.then(() =>
          res.end(
            JSON.stringify([remoteAddress, remotePort, remoteFamily, localPort, upload.length]),
          )
        );
      },
      {},
      async ({ port }) => {
        const client = request({ host: HOST, port, ca: CERTIFICATE, method: "POST" });
        client.end(MANY);
        const [message] = await once(client, "response") as [IncomingMessage];
        const { localPort } = message.socket;
        const reader = new Reader(message);
        await reader.closed;
        assert.deepEqual(
          JSON.parse(reader.bytes().toString()),
          [HOST, localPort, "IPv4", port, MANY.length],
        );
      },
    );
  });

  it(
    "survives slow clients, aborts and clients that speak no TLS",
    { skip: NEEDS_NODE },
    async () => {
      await withSite(answer, {}, async (site) => {
        const { port } = site;
        const aborted = await dial(port);
        aborted.write(GET(`/${MANY.length}`));
        await once(aborted, "readable");
        aborted.destroy();
        const plain = requestHttp({ host: HOST, port }).end();
        await assert.rejects(once(plain, "response"));
        const gone = connectTcp({ host: HOST, port });
        await once(gone, "connect");
        gone.destroy();
        const slow = await dial(port);
        slow.write(GET(`/${MANY.length}`, true));
        let length = 0;
        for await (const chunk of slow) {
          length += (chunk as Buffer).length;
          await new Promise((resolve) => setImmediate(resolve));
        }
        assert.ok(length > MANY.length);
        await assertAnswers(site);
      });
    },
  );

  it(
    "closes after the next response when the client asks for another key",
    { skip: NEEDS_NODE },
    async () => {
      await withSite(answer, {}, async ({ port, kernel }) => {
        const output = await withClient(port, async ({ write, printed }) => {
          write(GET("/1"));
          await printed(/HTTP\/1\.1 200[^]+connection: keep-alive/i);
          write("K\n");
          await printed(/KEYUPDATE/);
          write(GET("/1"));
          await printed(/connection: close[^]+<<< TLS 1\.[23], Alert[^\n]+close_notify/i);
        });
        assert.match(output, />>> TLS 1\.3, Handshake[^\n]+KeyUpdate/);
        assert.deepEqual([kernel.first, kernel.alerts], [[2n], 1]);
      });
    },
  );

  it(
    "leaves a connection as it is once OpenSSL has answered such a client",
    { skip: NEEDS_NODE },
    async () => {
      const busy = (server: Server) =>
        server.on("secureConnection", (socket: TLSSocket) => {
          socket.cork();
          socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        });
      const handler: RequestListener = (req, res) => {
        req.socket.uncork();
        answer(req, res);
      };
      await withSite(handler, {}, async ({ port, kernel }) => {
        const output = await withClient(port, async ({ write, printed }) => {
          write("K\n");
          await printed(/KEYUPDATE/);
          write(GET("/1"));
          await printed(/100 Continue[^]+HTTP\/1\.1 200[^]+<<< TLS 1\.[23], Alert/);
        });
        assert.match(output, /<<< TLS 1\.3, Handshake[^\n]+KeyUpdate/);
        assert.deepEqual(kernel.first, []);
      }, busy);
    },
  );

  it(
    "lets no record of the runtime through once the kernel has the key",
    { skip: NEEDS_NODE },
    async () => {
      const handler: RequestListener = async (req, res) => {
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        const socket = req.socket as Partial<Record<"_write" | "_writev", unknown>>;
        delete socket._write;
        delete socket._writev;
        res.end("encrypted twice");
      };
      await withSite(handler, {}, async ({ port, kernel }) => {
        const socket = await dial(port);
        const reader = new Reader(socket);
        socket.write(GET("/"));
        await reader.closed;
        assert.deepEqual([reader.length, kernel.first, kernel.alerts], [0, [2n], 0]);
      });
    },
  );

  it(
    "erases the lines with secrets, unless somebody else reads them",
    { skip: NEEDS_NODE },
    async () => {
      for (const listens of [false, true]) {
        const lines: Uint8Array[] = [];
        const watch = (server: Server) => {
          const { emit } = server;
          server.emit = (name: string | symbol, ...args: unknown[]) => {
            if (name === "keylog") lines.push(args[0] as Uint8Array);
            return emit.call(server, name, ...args);
          };
          if (listens) server.on("keylog", () => {});
        };
        await withSite(answer, {}, async ({ get }) => void await get("/1"), watch);
        assert.ok(lines.length >= 5);
        assert.equal(lines.every((line) => line.every((byte) => byte === 0)), !listens);
      }
    },
  );
});

interface Client {
  write(text: string): void;
  /** Waits until the output matches. */
  printed(pattern: RegExp): Promise<void>;
}

/** Runs `openssl s_client`, and returns what it has printed. */
async function withClient(port: number, body: (client: Client) => Promise<void>): Promise<string> {
  const args = ["s_client", "-connect", `${HOST}:${port}`, "-tls1_3", "-msg"];
  const client = spawn("openssl", args, { stdio: "pipe" });
  const signal = AbortSignal.timeout(60_000);
  let output = "";
  try {
    for (const stream of [client.stdout, client.stderr]) {
      stream.setEncoding("latin1").on("data", (text: string) => {
        output += text;
        client.emit("output");
      });
    }
    const printed = async (pattern: RegExp) => {
      while (!pattern.test(output)) await once(client, "output", { signal });
    };
    await printed(/Verify return code/);
    await body({ write: (text) => void client.stdin.write(text), printed });
    return output;
  } finally {
    client.kill();
  }
}

describe("sendFile() with kernelTls", () => {
  it("sends over node:https on every runtime", async () => {
    const results: Promise<string>[] = [];
    const server = createServer({ key: KEY, cert: CERTIFICATE }, (_, res) => {
      results.push(sendFile(res, path, { kernelTls: true, start: 7 }).then(({ method }) => method));
    });
    const port = await listen(server);
    try {
      for (let i = 0; i < 2; i++) {
        const client = request({ host: HOST, port, ca: CERTIFICATE, agent: false }).end();
        const [message] = await once(client, "response") as [IncomingMessage];
        const reader = new Reader(message);
        assert.equal(await reader.closed, "end");
        assert.equal(sha256(reader.bytes()), sha256(MANY.subarray(7)));
      }
      const works = NEEDS_NODE === false && probeKernelTls().state === "works";
      assert.deepEqual(await Promise.all(results), ["copy", works ? "ktls-sendfile" : "copy"]);
    } finally {
      server.closeAllConnections();
      await stop(server);
    }
  });

  it("refuses a value that is not a boolean", async () => {
    await assert.rejects(
      sendFile(1, path, { kernelTls: 1 as unknown as boolean }),
      { name: "TypeError", message: /kernelTls must be a boolean/ },
    );
  });
});
