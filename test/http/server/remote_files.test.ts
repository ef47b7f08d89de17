import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFileServer, type FileServer } from "../../../src/http/server/control/file_server.ts";
import type { FileServerOptions } from "../../../src/http/server/control/options.ts";
import { available } from "../../../src/sys/libc.ts";
import { openDescriptors } from "../../_kit/leaks.ts";
import { assertQuick } from "../../_kit/quick.ts";
import { fetchRaw, requestText, responses, talk } from "../../_kit/raw_http.ts";
import { bytesOf, LARGE, NO_SLOW_FILES, slowFiles } from "../../_kit/slow_files.ts";
import { saying, startProgram } from "./_program.ts";
import { makeSite, TWENTY } from "./_site.ts";

const SKIP = NO_SLOW_FILES ||
  (!available() && "the runtime's own threads open files, and all wait for the same four");

/** Time that each operation of the file system takes. */
const DELAY_MS = 150;

/** Less than one operation takes, and more than a busy machine takes for anything else. */
const STALL_MS = 120;

interface Rig {
  readonly server: FileServer;
  readonly port: number;
  readonly root: string;
}

/** A site with a file system below it that answers late or never: `/mnt/`, and `/link` leads there. */
async function withSlow(
  [delayMs, only = ""]: readonly [number, string?],
  options: Partial<FileServerOptions>,
  body: (rig: Rig) => Promise<void>,
): Promise<void> {
  const site = makeSite();
  const mount = join(site.root, "mnt");
  mkdirSync(mount);
  symlinkSync("mnt", join(site.root, "link"));
  symlinkSync(join(mount, "large"), join(site.root, "plain", "large"));
  const files = await slowFiles(delayMs, mount, only);
  const server = createFileServer({ root: site.root, ...options });
  try {
    const { port } = await server.listen();
    // Don't measure what is loaded and compiled only once.
    await fetchRaw(port, "/file.txt");
    await body({ server, port, root: site.root });
  } finally {
    await server.close({ graceMs: 0 });
    files.close();
    await assertGone(site.parent);
    site.remove();
  }
}

/** Waits until nothing below a folder is open any more, and no memory that its files were read into. */
async function assertGone(folder: string): Promise<void> {
  const open = () =>
    openDescriptors().filter((kind) => /memfd:sluice/.test(kind) || kind.includes(`:${folder}`));
  for (let i = 0; open().length > 0 && i < 500; i++) await sleep(20);
  assert.deepEqual(open(), []);
}

/** The longest time that another client waits for a small file, again and again, until `work` has ended. */
async function longestWait(port: number, work: Promise<unknown>): Promise<number> {
  let done = false;
  work.then(() => done = true, () => done = true);
  let longest = 0;
  while (!done) {
    const began = performance.now();
    assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), TWENTY);
    longest = Math.max(longest, performance.now() - began);
    await sleep(2);
  }
  await work;
  return longest;
}

/** Sends requests without reading the responses. */
function ask(port: number, ...targets: readonly string[]): Socket[] {
  return targets.map((target) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write(requestText(target));
    return socket;
  });
}

const SMALL = Buffer.from(bytesOf(1000));
const WHOLE = Buffer.from(bytesOf(LARGE));

describe("a mount below the root that takes its time", { skip: SKIP }, () => {
  it("holds up nobody who asks for other files, and its files arrive", async () => {
    await withSlow([DELAY_MS], { listing: true }, async ({ port }) => {
      await assertQuick(STALL_MS, async () => {
        const targets = ["/mnt/small", "/mnt/large", "/link/large", "/plain/large"];
        const all = Promise.all(
          [...targets, "/mnt/lengthless", "/mnt/none", "/mnt/"].map((t) => fetchRaw(port, t)),
        );
        const longest = await longestWait(port, all);
        const [small, large, linked, absolute, lengthless, none, listing] = await all;
        assert.deepEqual([small!.status, small!.body], [200, SMALL]);
        for (const answer of [large, linked, absolute]) {
          assert.deepEqual([answer!.status, answer!.body], [200, WHOLE]);
        }
        assert.deepEqual([lengthless!.status, lengthless!.body], [200, Buffer.from(bytesOf(5000))]);
        assert.equal(none!.status, 404);
        assert.match(listing!.body.toString(), /lengthless/);
        return longest;
      });
    });
  });

  it("keeps the order of a connection's answers, ranges and conditions", async () => {
    await withSlow([20], {}, async ({ port }) => {
      const range = { Range: "bytes=1000-299999" };
      const text = requestText("/file.txt") + requestText("/mnt/large", range) +
        requestText("/mnt/small", {}, "HEAD") + requestText("/file.txt") +
        requestText("/mnt/small", { Connection: "close" });
      const answers = responses(await talk(port, text), ["GET", "GET", "HEAD", "GET", "GET"]);
      assert.deepEqual(answers.map(({ status }) => status), [200, 206, 200, 200, 200]);
      assert.deepEqual(answers[1]!.body, WHOLE.subarray(1000, 300_000));
      assert.deepEqual(answers[4]!.body, SMALL);
      const condition = { "If-None-Match": answers[4]!.headers.get("etag")! };
      assert.equal((await fetchRaw(port, "/mnt/small", condition)).status, 304);
    });
  });

  it("works in a sandbox, with several threads, and as the root itself", async () => {
    for (const options of [{ sandbox: true }, { threads: 3 }]) {
      await withSlow([5], options, async ({ port }) => {
        const all = Array.from({ length: 8 }, () => fetchRaw(port, "/mnt/large"));
        for (const { body } of await Promise.all(all)) assert.deepEqual(body, WHOLE);
      });
    }
    const root = mkdtempSync(join(tmpdir(), "sluice-slow-"));
    const files = await slowFiles(5, root);
    const server = createFileServer({ root, listing: true });
    try {
      const { port } = await server.listen();
      assert.deepEqual((await fetchRaw(port, "/large")).body, WHOLE);
      assert.match((await fetchRaw(port, "/")).body.toString(), /lengthless/);
      assert.equal((await fetchRaw(port, "/none")).status, 404);
    } finally {
      await server.close({ graceMs: 0 });
      files.close();
      rmSync(root, { recursive: true, force: true });
    }
  });

  it("has the file that the program names (X-Accel-Redirect)", async () => {
    const answer = "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /mnt/large\r\nContent-Length: 0\r\n\r\n";
    const program = await startProgram(saying(answer));
    try {
      const fallback = { to: `127.0.0.1:${program.port}`, accel: true };
      await withSlow([20], { fallback }, async ({ port }) => {
        const text = requestText("/app") + requestText("/file.txt", { Connection: "close" });
        const [named, next] = responses(await talk(port, text), ["GET", "GET"]);
        assert.deepEqual(named!.body, WHOLE);
        assert.equal(next!.body.toString(), TWENTY);
      });
    } finally {
      program.close();
    }
  });
});

describe("a mount below the root that never answers", { skip: SKIP }, () => {
  const TARGETS = ["/mnt/small", "/mnt/large", "/link/small", "/plain/large", "/mnt/"];

  it("holds up nobody who asks for other files, and the server closes", async () => {
    await withSlow([Infinity], { listing: true }, async ({ port, server }) => {
      const sockets = ask(port, ...TARGETS, ...TARGETS, ...TARGETS);
      await assertQuick(STALL_MS, () => longestWait(port, sleep(500)));
      // The listing shows the parent folder.
      assert.match((await fetchRaw(port, "/dir/deep/")).body.toString(), /deep/);
      for (const socket of sockets) socket.destroy();
      await server.close({ graceMs: 100 });
    });
  });

  it("is answered with 503 after fileMs, and at once when too many wait for it", async () => {
    const limits = { fileMs: 300, maxConnections: 80 };
    await withSlow([Infinity], { limits }, async ({ port }) => {
      for (const target of TARGETS.slice(0, 4)) {
        assert.equal((await fetchRaw(port, target)).status, 503, target);
      }
    });
    // A folder of this machine, one of whose links leads there.
    const longer = { fileMs: 3000 };
    await withSlow([Infinity], { limits: longer, listing: true }, async ({ port }) => {
      const [folder, other] = await Promise.all(["/", "/dir/deep/"].map((t) => fetchRaw(port, t)));
      assert.deepEqual([folder!.status, other!.status], [503, 200]);
    });
    await withSlow([Infinity], { limits: { maxConnections: 40 } }, async ({ port }) => {
      const sockets = ask(port, ...Array.from({ length: 12 }, () => "/mnt/small"));
      await assertQuick(STALL_MS, async () => {
        const began = performance.now();
        assert.equal((await fetchRaw(port, "/mnt/small")).status, 503);
        return performance.now() - began;
      });
      assert.equal((await fetchRaw(port, "/file.txt")).status, 200);
      for (const socket of sockets) socket.destroy();
    });
  });

  it("cuts a body that does not go on, and holds up no other", async () => {
    await withSlow([Infinity, "READ"], { limits: { fileMs: 2000 } }, async ({ port }) => {
      // Starts the thread, which is not what may take so long.
      assert.equal((await fetchRaw(port, "/mnt/none")).status, 404);
      const cut = talk(port, requestText("/mnt/large"));
      await assertQuick(STALL_MS, () => longestWait(port, sleep(100)));
      const text = (await cut).toString("latin1");
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
      assert.ok(text.endsWith("\r\n\r\n"), "nothing of the body");
    });
  });
});

describe("a root that never answers", { skip: SKIP }, () => {
  it("keeps listen() waiting, but neither the event loop nor close()", async () => {
    const files = await slowFiles(Infinity);
    try {
      // A folder of the mount: its own root the kernel opens without asking.
      const server = createFileServer({ root: join(files.path, "folder") });
      const began = performance.now();
      const refused = assert.rejects(server.listen(), /closed/);
      assert.ok(performance.now() - began < 2000);
      await sleep(50);
      await server.close();
      await refused;
    } finally {
      files.close();
    }
  });
});
