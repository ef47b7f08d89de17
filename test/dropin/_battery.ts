/** Checks that static middleware still works with `sluice/register`. @module */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { openDescriptors, startThreads } from "../_kit/leaks.ts";
import { bypassesPipe, Client, DESCRIPTOR, recording } from "../_kit/serve.ts";
import { listen, stop } from "../_kit/targets_net.ts";

/** A header that asks the server to patch `write` and `end`, as compression does. */
export const PATCH = "x-patch";

const SIZES: Record<string, number> = {
  "big.bin": 20 * 1024 * 1024,
  "page.html": 70_001,
  "small.txt": 10,
  "empty.txt": 0,
};
const size = SIZES["big.bin"]!;

/** The folder that the servers serve. */
export const root: Folder = new Folder();
/** The content of its files. */
export const files: Map<string, Buffer> = new Map();
let seed = 1;
for (const [name, length] of Object.entries(SIZES)) {
  files.set(name, noise(length, seed++));
  writeFileSync(`${root.path}/${name}`, files.get(name)!);
}
mkdirSync(`${root.path}/folder`);
writeFileSync(`${root.path}/folder/index.html`, "index");
after(() => root.remove());

/** Puts functions of their own in front of `write` and `end` of a response that was asked to. */
export function patchIfAsked(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers[PATCH] === undefined) return;
  for (const name of ["write", "end"] as const) {
    const original = res[name] as (...args: unknown[]) => never;
    res[name] = (...args: unknown[]) => original.apply(res, args);
  }
}

/** Checks a server whose `/<name>` gives the files of {@linkcode root}. */
export function describeServer(name: string, open: () => Promise<Server>): void {
  describe(`${name} with sluice/register`, () => {
    let server: Server;
    let port = 0;
    let descriptors = 0;

    const use = async <T>(body: (client: Client) => Promise<T>): Promise<T> => {
      const client = new Client(port);
      try {
        return await body(client);
      } finally {
        await client.close();
      }
    };

    /** Runs `body` and expects bodies of these sizes by sendfile, where they bypass the runtime. */
    const sending = async (sizes: number[], body: (client: Client) => Promise<unknown>) => {
      const { sent } = await recording(() => use(body));
      const total = sizes.filter(bypassesPipe).reduce((a, b) => a + b, 0);
      assert.equal(sent, total);
    };

    const settle = async () => {
      for (let i = 0; i < 100 && openDescriptors().length > descriptors; i++) await sleep(20);
    };

    before(async () => {
      server = await open();
      port = await listen(server);
      await use((client) => client.get("/page.html"));
      await startThreads();
      await sleep(50);
      descriptors = openDescriptors().length;
    });
    after(async () => {
      server.closeAllConnections?.();
      await stop(server);
    });

    it("sends whole files", async () => {
      await sending(Object.values(SIZES), async (client) => {
        for (const [file, bytes] of files) {
          const { status, headers, body } = await client.get(`/${file}`);
          assert.equal(status, 200);
          assert.equal(headers["content-length"], String(bytes.length));
          assert.equal(sha256(body), sha256(bytes), file);
        }
      });
    });

    it("sends ranges", async () => {
      const ranges: [string, number, number][] = [
        ["0-0", 0, 0],
        ["100-199", 100, 199],
        ["-500", size - 500, size - 1],
        [`${size - 10}-`, size - 10, size - 1],
        [`5-${size * 2}`, 5, size - 1],
      ];
      await sending(ranges.map(([, start, end]) => end - start + 1), async (client) => {
        for (const [range, start, end] of ranges) {
          const answer = await client.get("/big.bin", { range: `bytes=${range}` });
          assert.equal(answer.status, 206);
          assert.equal(answer.headers["content-range"], `bytes ${start}-${end}/${size}`);
          const expected = files.get("big.bin")!.subarray(start, end + 1);
          assert.equal(sha256(answer.body), sha256(expected), range);
        }
      });
    });

    it("sends nothing by sendfile for HEAD, 304, 404 and 416", async () => {
      await sending([SIZES["small.txt"]!], async (client) => {
        const head = await client.get("/big.bin", {}, "HEAD");
        assert.equal(head.status, 200);
        assert.equal(head.headers["content-length"], String(size));
        const { etag, "last-modified": modified } = head.headers;
        assert.equal((await client.get("/big.bin", { "if-none-match": etag! })).status, 304);
        const since = await client.get("/big.bin", { "if-modified-since": modified! });
        assert.equal(since.status, 304);
        assert.equal((await client.get("/absent")).status, 404);
        const beyond = await client.get("/big.bin", { range: `bytes=${size}-` });
        assert.equal(beyond.status, 416);
        const partial = await client.get("/big.bin", { range: "bytes=3-5" }, "HEAD");
        assert.equal(partial.headers["content-length"], "3");
        // Nothing was left on the connection.
        const { body } = await client.get("/small.txt");
        assert.equal(sha256(body), sha256(files.get("small.txt")!));
      });
    });

    it("keeps answers apart that were asked for in one go", async () => {
      const names = ["page.html", "big.bin", "small.txt", "empty.txt", "page.html", "small.txt"];
      const sizes = names.map((file) => SIZES[file]!);
      // On Bun, a response that still waits for another has no connection to bypass.
      const run = DESCRIPTOR ? sending.bind(null, sizes) : use<unknown>;
      await run(async (client) => {
        for (const file of names) client.send("GET", `/${file}`);
        for (const file of names) {
          const { body } = await client.receive();
          assert.equal(sha256(body), sha256(files.get(file)!), file);
        }
        assert.equal(client.rest.length, 0);
      });
    });

    it("serves many at once", async () => {
      const { sent } = await recording(() =>
        Promise.all(Array.from({ length: 8 }, () =>
          use(async (client) => {
            const { body } = await client.get("/big.bin");
            assert.equal(sha256(body), sha256(files.get("big.bin")!));
          })))
      );
      assert.equal(sent, 8 * size);
    });

    it("leaves a patched response to the patch", async () => {
      const { sent } = await recording(() =>
        use(async (client) => {
          const { body } = await client.get("/big.bin", { [PATCH]: "1" });
          assert.equal(sha256(body), sha256(files.get("big.bin")!));
        })
      );
      assert.equal(sent, 0);
    });

    it("closes what belongs to downloads that are broken off", async () => {
      for (let i = 0; i < 20; i++) {
        const client = new Client(port).send("GET", "/big.bin");
        await new Promise((resolve) => client.socket.once("data", resolve));
        client.reset();
      }
      await settle();
      assert.ok(openDescriptors().length <= descriptors, openDescriptors().join(" "));
      await sending([SIZES["small.txt"]!], (client) => client.get("/small.txt"));
    });
  });
}
