import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createServer as createHttpServer } from "node:http";
import {
  createFileServer,
  fileResponse,
  planResponse,
  respondWithFile,
  serveStatic,
} from "../../src/http/mod.ts";
import * as sluice from "../../src/mod.ts";
import { withFileAsync } from "../_kit/temp.ts";

const SYSTEM = sluice.capabilities().backend !== null;
const NEEDS_CALLS = SYSTEM ? false : "the system cannot be called";

/** Options that count how often each of them is read. */
function counted<T extends object>(options: T): { options: T; reads: Map<string, number> } {
  const reads = new Map<string, number>();
  const proxy = new Proxy(options, {
    get(target, name) {
      if (typeof name === "string") reads.set(name, (reads.get(name) ?? 0) + 1);
      return Reflect.get(target, name) as unknown;
    },
  });
  return { options: proxy, reads };
}

type Use = (path: string, count: <const T extends object>(options: T) => T) => unknown;

const flow = { chunkSize: 65_536, maxRate: 1e9, onProgress: () => {}, signal: undefined };
const range = { start: 1, length: 2000 };

const WAYS: Record<string, { use: Use; skip?: string | false }> = {
  copyFile: {
    use: (path, count) =>
      sluice.copyFile(path, `${path}.copy`, count({ ...flow, mode: true, times: true })),
  },
  transfer: {
    use: (path, count) =>
      withFileAsync(
        "",
        (fd) =>
          sluice.transfer(path, fd, count({ ...flow, ...range, targetOffset: 0, method: "copy" })),
      ),
  },
  "transfer, in one object": {
    use: (path, count) =>
      withFileAsync("", (fd) => sluice.transfer(count({ ...flow, ...range, from: path, to: fd }))),
  },
  sendFile: {
    async use(path, count) {
      const header = new Uint8Array(5);
      const server = createServer((socket) => {
        sluice.sendFile(
          socket,
          path,
          count({ ...flow, ...range, header, stability: "copy", kernelTls: true }),
        )
          .finally(() => socket.end());
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address() as { port: number };
      const { connect } = await import("node:net");
      const client = connect(port, "127.0.0.1").resume();
      await once(client, "end");
      client.destroy();
      server.close();
    },
  },
  broadcast: {
    use: (path, count) =>
      withFileAsync(
        "",
        (fd) =>
          sluice.broadcast(path, [fd], count({ ...flow, ...range, slow: "drop", slowMs: 100 })),
      ),
    skip: NEEDS_CALLS,
  },
  createRelay: {
    use: (_, count) =>
      sluice.createRelay(count({ listen: "127.0.0.1:0", upstream: "127.0.0.1:1", threads: 1 })),
  },
  Pipe: {
    use: (_, count) => new sluice.Pipe(count({ capacity: 65_536, blocking: false })).close(),
    skip: NEEDS_CALLS,
  },
  "MappedFile.open": {
    use: (path, count) =>
      sluice.MappedFile.open(path, count({ access: "write", offset: 5, length: 10 })).close(),
    skip: NEEDS_CALLS,
  },
  "the ranges of a mapping": {
    async use(path, count) {
      using map = sluice.MappedFile.open(path, { access: "write" });
      for (const act of ["flush", "dropCache", "residency", "lock", "unlock"] as const) {
        map[act](count({ offset: 1, length: 20 }));
      }
      map.protect("read", count({ offset: 1, length: 20 }));
      map.advise("random", count({ offset: 1, length: 20 }));
      await map.prefetch(count({ offset: 1, length: 20 }));
      await map.flush(count({ offset: 1, length: 20 }), { async: true });
    },
    skip: NEEDS_CALLS,
  },
  "MappedMemory.allocate": {
    use: (_, count) =>
      sluice.MappedMemory.allocate(10, count({ shared: true, name: "once" })).close(),
    skip: NEEDS_CALLS,
  },
  DirectFile: {
    async use(path, count) {
      const file = await sluice.DirectFile.open(
        path,
        count({ access: "write", create: true, permissions: 0o600 }),
      );
      const writer = file.writable(count({ start: 0, depth: 2, blockSize: 4096 })).getWriter();
      await writer.write(new Uint8Array(3000));
      await writer.close();
      for await (const _ of file.readable(count({ ...range, depth: 2, lend: true })));
      await file.read(new Uint8Array(5), 0, count({ signal: undefined }));
      await file.sync(count({ dataOnly: true }));
      await file.close();
    },
  },
  createFileServer: {
    use: (path, count) =>
      createFileServer(
        count({ root: join(path, ".."), headers: { "x-a": "b" }, maxAge: 5, onError: () => {} }),
      ),
  },
  serveStatic: {
    use: (path, count) =>
      serveStatic(join(path, ".."), count({ maxAge: 5, fallthrough: true, gzip: true })).close(),
  },
  fileResponse: {
    async use(path, count) {
      const options = count({ root: join(path, ".."), maxAge: 5, download: true });
      const response = await fileResponse(new Request("http://h/"), "file", options);
      await response.arrayBuffer();
    },
  },
  respondWithFile: {
    async use(path, count) {
      const server = createHttpServer((req, res) => {
        const options = count({ root: join(path, ".."), dotfiles: "deny", maxAge: 5, etag: true });
        respondWithFile(req, res, "file", options).catch(() => res.end());
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address() as { port: number };
      await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer();
      server.closeAllConnections();
      server.close();
    },
  },
  planResponse: {
    use: (_, count) =>
      planResponse(
        { method: "GET", header: () => undefined } as never,
        { name: "a.txt", size: 10, mtimeNs: 0n } as never,
        count({ maxAge: 5, etag: true }),
      ),
  },
};

describe("each option of a caller", () => {
  for (const [name, { use, skip = false }] of Object.entries(WAYS)) {
    it(
      `is read once: ${name}`,
      { skip },
      () =>
        withFileAsync(new Uint8Array(10_000), async (_, path) => {
          const all: Map<string, number>[] = [];
          await use(path, (options) => {
            const made = counted(options);
            all.push(made.reads);
            return made.options;
          });
          for (const reads of all) {
            const twice = Array.from(reads).filter(([, count]) => count > 1);
            assert.deepEqual(twice, []);
          }
          assert.ok(all.some((reads) => reads.size > 0));
        }),
    );
  }
});
