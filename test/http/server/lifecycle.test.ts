import assert from "node:assert/strict";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type FileServer } from "../../../src/http/server/control/file_server.ts";
import type { FileServerOptions } from "../../../src/http/server/control/options.ts";
import { prometheus } from "../../../src/http/mod.ts";
import { createRelay } from "../../../src/mod.ts";
import { AddressFamily, raw, socketpair, SocketType } from "../../../src/sys/mod.ts";
import { openListener } from "../../../src/sys/net/listener.ts";
import { runChild } from "../../_kit/child.ts";
import { openDescriptors, startThreads } from "../../_kit/leaks.ts";
import { fetchRaw, responses } from "../../_kit/raw_http.ts";
import { SlowClient } from "../../_kit/slow_client.ts";
import { saying, startProgram } from "./_program.ts";
import { LARGE_BYTES, makeSite, TWENTY } from "./_site.ts";

const request = (target: string, more = "") => `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;

/** Serves a folder while `body` runs. */
async function withServer(
  options: Partial<FileServerOptions>,
  body: (server: FileServer, port: number, root: string) => Promise<void>,
): Promise<void> {
  const site = makeSite();
  const server = createFileServer({ root: site.root, ...options });
  try {
    await body(server, (await server.listen()).port, site.root);
  } finally {
    await server.close({ graceMs: 0 });
    site.remove();
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !condition(); await sleep(5)) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}`);
  }
}

/** Everything that comes before the end. */
async function read(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  await once(socket, "close");
  return Buffer.concat(chunks);
}

describe("prometheus()", () => {
  it("formats the statistics of a server", async () => {
    await withServer({ threads: 1 }, async (server, port) => {
      await fetchRaw(port, "/file.txt");
      await fetchRaw(port, "/absent");
      const lines = prometheus(server.stats()).split("\n");
      assert.equal(lines.pop(), "");
      assert.ok(lines.includes("# TYPE sluice_requests_total counter"));
      assert.ok(lines.includes("sluice_requests_total 2"));
      assert.ok(lines.includes('sluice_statuses_total{class="4xx"} 1'));
      assert.ok(lines.includes('sluice_threads_requests_total{thread="0"} 2'));
      assert.ok(lines.includes("# TYPE sluice_cache_bytes gauge"));
      assert.ok(lines.includes("# TYPE sluice_open gauge"));
      const names = lines.filter((line) => line.startsWith("# TYPE"));
      assert.equal(new Set(names).size, names.length);
      for (const line of lines) assert.match(line, /^(# TYPE \w+ \w+|\w+({\w+="\w+"})? \d+)$/);
    });
  });

  it("formats the statistics of a relay, and TLS by reason", async () => {
    const relay = createRelay({ listen: 0, upstream: 1 });
    const text = prometheus(relay.stats(), { prefix: "relay", labels: { to: 'a"b\\\n' } });
    assert.match(text, /^relay_bytes_up_total{to="a\\"b\\\\\\n"} 0$/m);
    assert.match(text, /^# TYPE relay_active gauge$/m);
    assert.doesNotMatch(text, /connect_error/);
    await relay.close();
    const tls = { handshakes: 3, failures: { plainHttp: 2 } };
    assert.match(
      prometheus({ tls } as never),
      /^sluice_tls_failures_total{reason="plainHttp"} 2$/m,
    );
  });

  it("refuses what are no statistics, and names that are not allowed", () => {
    assert.throws(() => prometheus(null as never), TypeError);
    assert.throws(() => prometheus({} as never, { prefix: "a-b" }), TypeError);
    assert.throws(() => prometheus({} as never, { labels: { "a b": "" } }), TypeError);
    assert.throws(() => prometheus({} as never, { labels: 1 } as never), TypeError);
  });
});

describe("createFileServer({ fd })", () => {
  const address = { family: "IPv4", address: "127.0.0.1", port: 0 } as const;

  it("serves on a socket that listens already, and a restart refuses nobody", async () => {
    const listener = openListener(address, 511);
    const site = makeSite();
    const start = async () => {
      const server = createFileServer({ root: site.root, fd: listener });
      await server.listen();
      return server;
    };
    let server = await start();
    const { port } = server.address as { port: number };
    let over = false;
    let answers = 0;
    const clients = Array.from({ length: 4 }, async () => {
      for (; !over; answers++) {
        assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), TWENTY);
      }
    });
    for (let i = 0; i < 3; i++) {
      const before = answers;
      await until(() => answers > before + 5, "answers");
      await server.close();
      // Nobody serves: who connects now waits for the next server.
      await sleep(20);
      server = await start();
    }
    over = true;
    await Promise.all(clients);
    await server.close();
    // It stays the caller's.
    assert.equal(raw.close(listener), 0);
    site.remove();
  });

  it("takes a Unix socket, and leaves its file", async () => {
    const site = makeSite();
    const path = join(site.parent, "socket");
    const listener = openListener({ family: "Unix", path }, 511);
    const server = createFileServer({ root: site.root, fd: listener });
    assert.equal((await server.listen() as { path?: string }).path, path);
    await server.close();
    assert.ok(existsSync(path));
    raw.close(listener);
    site.remove();
  });

  it("refuses what does not listen, and two answers to one question", async () => {
    const site = makeSite();
    const { root } = site;
    const client = openListener(address, 1);
    for (const more of [{ port: 0 }, { host: "127.0.0.1" }, { path: "/tmp/x" }]) {
      assert.throws(
        () => createFileServer({ root, fd: client, ...more }),
        /so does another option/,
      );
    }
    raw.close(client);
    for (const fd of [-1, 1.5]) assert.throws(() => createFileServer({ root, fd }), RangeError);
    await assert.rejects(createFileServer({ root, fd: client }).listen(), { code: "EBADF" });
    const file = openSync(join(root, "file.txt"), "r");
    await assert.rejects(createFileServer({ root, fd: file }).listen(), { code: "ENOTSOCK" });
    closeSync(file);
    const [one, other] = socketpair(AddressFamily.UNIX, SocketType.STREAM);
    await assert.rejects(createFileServer({ root, fd: one }).listen(), /does not listen/);
    raw.close(one);
    raw.close(other);
    site.remove();
  });
});

describe("createFileServer()", () => {
  it("refuses options that make no sense, before it does anything", () => {
    for (
      const options of [
        undefined,
        {},
        { root: "" },
        { root: ".", port: 65_536 },
        { root: ".", port: "80" },
        { root: ".", threads: 0 },
        { root: ".", limits: { headMs: 0 } },
        { root: ".", cache: { maxBytes: -1 } },
        { root: ".", headers: () => ({}) },
        { root: ".", listing: () => "" },
        { root: ".", dotfiles: "show" },
        { root: ".", host: 1 },
      ]
    ) {
      assert.throws(() => createFileServer(options as FileServerOptions), /Cannot/);
    }
  });

  it("rejects for a folder that is not there and for a port that is taken", async () => {
    const nowhere = createFileServer({ root: "/nowhere" });
    await assert.rejects(nowhere.listen(), { code: "ENOENT" });
    await nowhere.close();
    await withServer({}, async (_, port) => {
      const second = createFileServer({ root: ".", port });
      await assert.rejects(second.listen(), { code: "EADDRINUSE" });
      await second.close();
    });
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const taken = createFileServer({ root: ".", port });
    await assert.rejects(taken.listen(), { code: "EADDRINUSE" });
    other.close();
  });

  it("listens on IPv6 and on a Unix socket, which it removes", async () => {
    await withServer({ host: "::1" }, async (server, port) => {
      assert.equal(server.address!.address, "::1");
      const socket = connect(port, "::1");
      socket.write(request("/large.bin", "Connection: close\r\n"));
      assert.equal(responses(await read(socket), ["GET"])[0]!.body.length, LARGE_BYTES);
    });
    const site = makeSite();
    const path = join(site.parent, "socket");
    const server = createFileServer({ root: site.root, path });
    const address = { family: "Unix", path, address: path, port: 0 };
    assert.deepEqual(await server.listen(), address);
    assert.deepEqual(server.address, address);
    for (const target of ["/file.txt", "/large.bin"]) {
      const socket = connect(path);
      socket.write(request(target, "Connection: close\r\n"));
      assert.equal(responses(await read(socket), ["GET"])[0]!.status, 200);
    }
    await server.close();
    // The path is free again.
    const next = createFileServer({ root: site.root, path });
    await next.listen();
    await next.close();
    site.remove();
  });

  it("takes the place of a Unix socket that was left behind, and of nothing else", async () => {
    const site = makeSite();
    const path = join(site.parent, "socket");
    const fd = openListener({ family: "Unix", path });
    raw.close(fd);
    assert.ok(existsSync(path), "its socket has been left behind");
    const first = createFileServer({ root: site.root, path });
    await first.listen();
    const second = createFileServer({ root: site.root, path });
    await assert.rejects(second.listen(), {
      code: "EADDRINUSE",
      message: `EADDRINUSE: Cannot listen on ${path}, which another server uses: bind(2) failed`,
    });
    await second.close();
    assert.ok(existsSync(path), "a server that never listened removes nothing");
    // Another server has taken the path meanwhile.
    rmSync(path);
    writeFileSync(path, "a file");
    await first.close();
    assert.equal(readFileSync(path, "utf8"), "a file");
    const third = createFileServer({ root: site.root, path });
    await assert.rejects(third.listen(), {
      code: "EADDRINUSE",
      message: /exists and is not a socket/,
    });
    await third.close();
    assert.equal(readFileSync(path, "utf8"), "a file");
    site.remove();
  });

  it("gives every thread its share of the connections that stay", async () => {
    const threads = 3;
    await withServer({ threads }, async (server, port) => {
      const sockets: Socket[] = [];
      const spread = () => server.stats().threads.map(({ open }) => open).toSorted((a, b) => a - b);
      const openAll = async (count: number) => {
        for (let i = 0; i < count; i++) {
          sockets.push(connect(port, "127.0.0.1").on("error", () => {}));
        }
        await until(() => server.stats().open === sockets.length, "the connections");
      };
      await openAll(60);
      const [fewest = 0, , most = 0] = spread();
      assert.ok(most - fewest <= 2, `${spread()}`);
      // New connections fill the gaps, and every connection gets its response.
      for (const socket of sockets.splice(0, 30)) socket.destroy();
      await until(() => server.stats().open === 30, "half of them to end");
      await openAll(30);
      const [least = 0, , largest = 0] = spread();
      assert.ok(largest - least <= 2, `${spread()}`);
      for (const socket of sockets) {
        socket.write(request("/file.txt"));
        await once(socket, "data");
      }
      const { requests, threads: each } = server.stats();
      assert.equal(requests, 60);
      for (const { open, requests } of each) assert.equal(requests, open);
      for (const socket of sockets) socket.destroy();
    });
  });

  it("leaves no descriptor behind where connections were handed over", async () => {
    const before = openDescriptors().length;
    for (let i = 0; i < 3; i++) {
      await withServer({ threads: 2 }, async (server, port) => {
        const sockets = Array.from({ length: 20 }, () => connect(port, "127.0.0.1"));
        const ended = Promise.all(sockets.map((socket) => once(socket, "close")));
        for (const socket of sockets) socket.on("error", () => {}).resume();
        // Closed while they are still on their way from thread to thread.
        await until(() => server.stats().open > 0, "the first");
        await server.close({ graceMs: 1000 });
        await ended;
      });
    }
    await until(() => openDescriptors().length <= before, "the descriptors to be closed");
  });

  it("serves from several threads and counts over all of them", async () => {
    await withServer({ threads: 3 }, async (server, port) => {
      const clients = Array.from({ length: 30 }, () => fetchRaw(port, "/file.txt"));
      for (const { body } of await Promise.all(clients)) assert.equal(body.toString(), TWENTY);
      const large = Array.from({ length: 6 }, () => fetchRaw(port, "/large.bin"));
      for (const { body } of await Promise.all(large)) assert.equal(body.length, LARGE_BYTES);
      await until(() => server.stats().open === 0, "the connections to end");
      const { accepted, bytes, requests, statuses } = server.stats();
      assert.deepEqual([accepted, requests, statuses["2xx"]], [36, 36, 36]);
      assert.ok(bytes > 6 * LARGE_BYTES);
    });
  });

  it("shows changes at once after reload()", async () => {
    await withServer({ cache: { validMs: 60_000 } }, async (server, port, root) => {
      const body = async () => (await fetchRaw(port, "/dir/")).body.toString();
      const old = await body();
      // The file that is kept is none the worse: only the path leads elsewhere.
      renameSync(join(root, "dir"), join(root, "before"));
      mkdirSync(join(root, "dir"));
      writeFileSync(join(root, "dir/index.html"), "new");
      assert.equal(await body(), old);
      await server.reload();
      assert.equal(await body(), "new");
    });
  });

  it("lets answers end when it closes, and takes nothing new", async () => {
    await withServer({}, async (server, port) => {
      const idle = connect(port, "127.0.0.1");
      idle.write(request("/file.txt"));
      await once(idle, "data");
      const client = new SlowClient(port);
      client.send(request("/large.bin"));
      client.read(4096, 2);
      await until(() => client.length > 10_000, "the first bytes");
      const idleEnded = once(idle, "close");
      const closed = server.close({ graceMs: 20_000 });
      await idleEnded;
      await assert.rejects(fetchRaw(port, "/file.txt"));
      client.read(1024 * 1024, 1);
      await until(() => client.over, "the end");
      const all = Buffer.concat(client.chunks);
      assert.equal(all.length - all.indexOf("\r\n\r\n") - 4, LARGE_BYTES);
      client.close();
      await closed;
      assert.equal(server.stats().aborted, 0);
    });
  });

  it("cuts what has not ended after the time that it was given", async () => {
    await withServer({}, async (server, port) => {
      const client = new SlowClient(port);
      client.send(request("/large.bin"));
      client.read(1024, 50);
      await until(() => client.length > 1000, "the first bytes");
      await server.close({ graceMs: 50 });
      client.read(1024 * 1024, 1);
      await until(() => client.over, "the end");
      assert.ok(client.length < LARGE_BYTES);
      client.close();
    });
  });

  it("leaves no descriptor behind", async () => {
    const once = () =>
      withServer({ threads: 2 }, async (_, port) => {
        await fetchRaw(port, "/large.bin");
      });
    await startThreads();
    await once();
    await sleep(50);
    const before = openDescriptors().length;
    for (let i = 0; i < 3; i++) await once();
    for (let i = 0; i < 100 && openDescriptors().length > before; i++) await sleep(20);
    assert.ok(openDescriptors().length <= before, openDescriptors().join(" "));
  });

  it("keeps the process alive, unless it is told not to", async () => {
    const file = new URL("./_fixtures/unref.ts", import.meta.url);
    const { code, stdout } = await runChild(file, { timeoutMs: 20_000 });
    assert.deepEqual([code, stdout.trim()], [0, "listening"]);
  });
});

describe("limits", () => {
  it("end a head that does not come to its end, however it drips", async () => {
    await withServer({ limits: { headMs: 300 } }, async (server, port) => {
      const socket = connect(port, "127.0.0.1");
      socket.write("GET / HTTP/1.1\r\n");
      const drip = setInterval(() => socket.write("A: b\r\n"), 20);
      const answer = (await read(socket)).toString();
      clearInterval(drip);
      assert.match(answer, /^HTTP\/1\.1 408 /);
      const silent = connect(port, "127.0.0.1");
      assert.equal((await read(silent)).length, 0);
      assert.ok(server.stats().timeouts >= 2);
    });
  });

  it("end a body that does not come to its end, however it drips", async () => {
    await withServer({ limits: { headMs: 300 } }, async (server, port) => {
      const socket = connect(port, "127.0.0.1");
      const drip = setInterval(() => socket.write("x"), 20);
      const bytes = read(socket);
      socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
      const text = (await bytes).toString();
      clearInterval(drip);
      assert.match(text, /^HTTP\/1\.1 405 /);
      await until(() => server.stats().timeouts === 1, "the count");
    });
  });

  it("end a connection that asks for nothing more, and not one that asks", async () => {
    await withServer({ limits: { idleMs: 300 } }, async (_, port) => {
      const socket = connect(port, "127.0.0.1");
      socket.write(request("/file.txt"));
      assert.equal(responses(await read(socket), ["GET"])[0]!.body.toString(), TWENTY);
    });
  });

  it("end a download that makes no progress, and not one that is slow", async () => {
    await withServer({ limits: { sendMs: 400, minRate: 0 } }, async (server, port) => {
      const slow = new SlowClient(port);
      slow.send(request("/large.bin", "Connection: close\r\n"));
      slow.read(16 * 1024, 20);
      const stopped = new SlowClient(port);
      stopped.send(request("/large.bin"));
      await until(() => server.stats().timeouts === 1, "the end of the one that stopped");
      assert.equal(slow.over, false);
      const { length } = slow;
      await until(() => slow.length > length + 200_000, "the slow one to go on");
      slow.read(1024 * 1024, 1);
      await until(() => slow.over, "the end");
      const all = Buffer.concat(slow.chunks);
      assert.equal(all.length - all.indexOf("\r\n\r\n") - 4, LARGE_BYTES);
      assert.equal(server.stats().timeouts, 1);
      slow.close();
      stopped.close();
    });
  });

  it("end a download below the lowest rate", async () => {
    await withServer({ limits: { sendMs: 300, minRate: 10_000_000 } }, async (server, port) => {
      const slow = new SlowClient(port);
      slow.send(request("/large.bin"));
      slow.read(1024, 10);
      await until(() => server.stats().timeouts === 1, "the end");
      slow.close();
    });
  });

  it("of descriptors are told to clients with 503, and pass", async () => {
    const file = new URL("./_fixtures/emfile.ts", import.meta.url);
    const { code, stderr, stdout } = await runChild(file, { timeoutMs: 60_000 });
    const lines = stdout.trim().split("\n");
    assert.equal(code, 0, stderr);
    assert.deepEqual(lines, [...Array<string>(3).fill("HTTP/1.1 503"), "HTTP/1.1 404", "3"]);
  });

  it("of descriptors for the program make room by ending one that waits", async () => {
    const program = await startProgram(saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    const file = new URL("./_fixtures/proxy_emfile.ts", import.meta.url);
    const args = [String(program.port)];
    const { code, stderr, stdout } = await runChild(file, { args, timeoutMs: 60_000 });
    await program.close();
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n"), ["HTTP/1.1 200", "1"]);
  });

  it("of connections make room by ending one that waits, and let others wait", async () => {
    await withServer({ limits: { maxConnections: 3 } }, async (server, port) => {
      const sockets = Array.from({ length: 3 }, () => connect(port, "127.0.0.1"));
      for (const socket of sockets) socket.on("error", () => {});
      await until(() => server.stats().open === 3, "three connections");
      // None of them has asked for anything: the fourth takes the place of the first.
      const silent = once(sockets[0]!, "close");
      assert.equal((await fetchRaw(port, "/file.txt")).status, 200);
      await silent;
      sockets[1]!.write(request("/file.txt"));
      await once(sockets[1]!, "data");
      const ended = once(sockets[1]!, "close");
      const another = connect(port, "127.0.0.1");
      sockets[1]!.resume();
      const more = connect(port, "127.0.0.1");
      await ended;
      for (const socket of [...sockets, another, more]) socket.destroy();
    });
  });
});
