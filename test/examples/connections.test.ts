import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchRaw, requestText, responses, talk } from "../_kit/raw_http.ts";
import { type RunningServer, startServer } from "../_kit/server.ts";
import { pattern } from "../_kit/temp.ts";
import { FILE_SERVER, MIB, openSite, type Site } from "./_site.ts";

const PROC = process.platform === "linux" ? false : "descriptors are counted in /proc";

let site: Site;
let server: RunningServer;

before(async () => {
  site = await openSite();
  server = site.server;
});

after(() => site?.close());

const get = (target: string, headers?: Record<string, string>, method?: string) =>
  fetchRaw(server.port, target, headers, method);

/** Opens a connection, asks for `target`, and stops reading after the first bytes. */
async function beginDownload(target: string, port: number = server.port): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.write(requestText(target, { Connection: "close" }));
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
  return socket;
}

describe("file server: connections", () => {
  it("answers many requests on one connection, in their order", async () => {
    const targets = ["/s.txt", "/none", "/1048577.bin", "/sub/", "/4097.bin", "/0.bin", "/sub"];
    for (const size of [0, 4097, MIB + 1]) {
      writeFileSync(join(site.root, `${size}.bin`), pattern(size));
    }
    const sizes = new Map([["/s.txt", 20], ["/1048577.bin", MIB + 1], ["/4097.bin", 4097]]);
    const asked = [...targets, ...targets, ...targets];
    const text = asked.map((target) => requestText(target)).join("") +
      requestText("/s.txt", { Connection: "close" });
    const found = responses(await talk(server.port, text), [...asked, "/s.txt"]);
    for (const [i, target] of asked.entries()) {
      const size = sizes.get(target);
      if (size !== undefined) {
        assert.equal(found[i]!.body.length, size, target);
        if (target !== "/s.txt") assert.deepEqual(found[i]!.body, Buffer.from(pattern(size)));
      }
    }
    const statuses = [200, 404, 200, 200, 200, 200, 301];
    assert.deepEqual(found.map(({ status }) => status), [
      ...statuses,
      ...statuses,
      ...statuses,
      200,
    ]);
  });

  it("keeps HEAD, 304 and 416 apart from what follows them", async () => {
    const tag = (await get("/s.txt")).headers.get("etag")!;
    const text = requestText("/s.txt", {}, "HEAD") +
      requestText("/s.txt", { "If-None-Match": tag }) +
      requestText("/s.txt", { Range: "bytes=99-" }) +
      requestText("/s.txt", { Connection: "close" });
    const found = responses(await talk(server.port, text), ["HEAD", "GET", "GET", "GET"]);
    assert.deepEqual(found.map(({ status }) => status), [200, 304, 416, 200]);
  });

  it("takes no body for a request", async () => {
    const smuggled = requestText("/.hidden");
    const headers = { "Content-Length": String(smuggled.length) };
    const bytes = await talk(
      server.port,
      requestText("/s.txt", { ...headers, Connection: "close" }) +
        smuggled,
    );
    assert.equal(responses(bytes, ["GET"])[0]!.body.length, 20);
  });

  it("sends to many at once", async () => {
    const wanted = Buffer.from(pattern(MIB + 1));
    writeFileSync(join(site.root, "1048577.bin"), wanted);
    const bodies = await Promise.all(
      Array.from({ length: 50 }, async () => (await get("/1048577.bin")).body),
    );
    for (const body of bodies) assert.ok(wanted.equals(body));
  });

  it("closes everything when clients go away in the middle", { skip: PROC }, async () => {
    const abort = async () => void (await beginDownload("/big.bin")).destroy();
    const settled = async (most: number) => {
      for (let i = 0; i < 100 && server.descriptors() > most; i++) await sleep(20);
      return server.descriptors();
    };
    // Descriptors that a runtime keeps after its first connections are no leak.
    const before = server.descriptors();
    await Promise.all(Array.from({ length: 20 }, abort));
    const base = await settled(before);
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 20 }, abort));
      for (const target of ["/none", "/s.txt", "/sub/"]) await get(target, {}, "HEAD");
    }
    const open = await settled(base);
    assert.ok(open <= base, `${open} open, ${base} before`);
    await server.printed(/200 GET \/big\.bin \d+ of 67108864 B cut off \(\w+\)/);
    assert.equal((await get("/s.txt")).status, 200);
  });

  it("holds one file open for a client that asks ahead", { skip: PROC }, async () => {
    const base = server.descriptors();
    const socket = connect({ port: server.port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.write(requestText("/big.bin").repeat(100));
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    await sleep(200);
    const open = server.descriptors();
    socket.destroy();
    assert.ok(open <= base + 10, `${open} open, ${base} before`);
  });

  it("breaks off where a file becomes shorter than was promised", async () => {
    const path = join(site.root, "shrinks.bin");
    writeFileSync(path, site.big);
    const socket = await beginDownload("/shrinks.bin");
    truncateSync(path, MIB);
    let received = 0;
    socket.on("data", (bytes: Buffer) => received += bytes.length);
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    assert.ok(received < 64 * MIB);
    await server.printed(/shrinks\.bin \d+ of 67108864 B cut off \(ERR_SLUICE_TRUNCATED\)/);
  });
});

describe("file server: the command", () => {
  it("explains itself, and its mistakes", async () => {
    const bad: [string[], RegExp][] = [
      [["--help"], /Usage: file_server\.ts/],
      [["--port", "65536"], /Cannot listen on port "65536": it must be in 0\.\.65535/],
      [["--nonsense"], /nonsense/],
      [[join(site.root, "none")], /ENOENT/],
      [[join(site.root, "s.txt")], /s\.txt: it is not a folder/],
      [[site.root, "--host", "192.0.2.1", "--port", "0"], /Cannot listen on 192\.0\.2\.1/],
      [[site.root, "--port", String(server.port)], /port \d+: it is in use/],
    ];
    for (const [args, message] of bad) {
      await assert.rejects(startServer(FILE_SERVER, args), message);
    }
  });

  it("moves on from the default port when it is taken", async () => {
    const squatter = createServer();
    // Another program may listen there already; that works too.
    await new Promise<void>((resolve) => {
      squatter.once("error", () => resolve());
      squatter.listen(3000, "127.0.0.1", () => resolve());
    });
    const moved = await startServer(FILE_SERVER, [site.root]);
    moved.kill("SIGKILL");
    squatter.close();
    assert.ok(moved.port > 3000);
    assert.match(moved.output(), /Port 3000 is in use/);
  });

  it("finishes what is under way when it is told to end", async () => {
    const ending = await startServer(FILE_SERVER, [site.root, "--port", "0"]);
    const socket = connect({ port: ending.port, host: "127.0.0.1" });
    const whole = new Promise<Buffer>((resolve) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (chunks.length === 1) ending.kill("SIGTERM");
      });
      socket.on("close", () => resolve(Buffer.concat(chunks)));
    });
    socket.write(requestText("/big.bin"));
    assert.equal(responses(await whole, ["GET"])[0]!.body.length, 64 * MIB);
    assert.equal(await ending.ended, 0);
  });

  it("ends at once when it is told twice", async () => {
    const ending = await startServer(FILE_SERVER, [site.root, "--port", "0"]);
    const socket = await beginDownload("/big.bin", ending.port);
    ending.kill("SIGINT");
    await ending.printed(/Stopping/);
    ending.kill("SIGINT");
    assert.equal(await ending.ended, 130);
    socket.destroy();
  });
});
