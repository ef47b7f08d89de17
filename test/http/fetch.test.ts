import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { fileResponse, serveStatic } from "../../src/http/mod.ts";
import { sha256 } from "../_kit/bytes.ts";
import { assertClosed, describeWithoutLeaks } from "../_kit/leaks.ts";
import { Client } from "../_kit/serve.ts";
import { big, MODIFIED, SECRET, TWENTY, www } from "./_site.ts";

type Handler = (request: Request) => Response | Promise<Response>;

interface Globals {
  readonly Bun?: {
    serve(options: { port: number; hostname: string; fetch: Handler }): {
      readonly port: number;
      stop(now: boolean): Promise<void>;
    };
  };
  readonly Deno?: {
    serve(options: { port: number; hostname: string; onListen: () => void }, handler: Handler): {
      readonly addr: { readonly port: number };
      shutdown(): Promise<void>;
    };
  };
}

const { Bun, Deno } = globalThis as Globals;

/** Node.js has no server of its own whose handlers return a `Response`. */
const NO_SERVER = Bun === undefined && Deno === undefined
  ? "this runtime has no server in the style of fetch"
  : false;

interface HonoApp {
  use(path: string, handler: unknown): void;
  readonly fetch: Handler;
}
const { Hono } = createRequire(import.meta.url)("hono") as { Hono: new () => HonoApp };

/** Runs `body` with the runtime's own server. */
async function withFetchServer(handler: Handler, body: (port: number) => Promise<void>) {
  const options = { port: 0, hostname: "127.0.0.1" };
  if (Bun !== undefined) {
    const server = Bun.serve({ ...options, fetch: handler });
    try {
      await body(server.port);
    } finally {
      await server.stop(true);
    }
  } else if (Deno !== undefined) {
    const server = Deno.serve({ ...options, onListen: () => {} }, handler);
    try {
      await body(server.addr.port);
    } finally {
      await server.shutdown();
    }
  }
}

function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Request {
  return new Request(`http://localhost${path}`, { headers, method });
}

async function digest(response: Response): Promise<string> {
  return sha256(new Uint8Array(await response.arrayBuffer()));
}

const warmUp = async () => {
  await (await fileResponse(ask("/"), join(www, "big.bin"))).arrayBuffer();
  await (await fileResponse(ask("/"), "big.bin", { root: www })).arrayBuffer();
};

describeWithoutLeaks("fileResponse()", { warmUp }, () => {
  it("answers with one file, whole and in part", async () => {
    for (const path of [join(www, "file.txt"), pathToFileURL(join(www, "file.txt"))]) {
      const response = await fileResponse(ask("/whatever"), path);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(response.headers.get("last-modified"), MODIFIED);
      assert.equal(await response.text(), TWENTY);
      const part = await fileResponse(ask("/", { range: "bytes=-5" }), path);
      assert.equal(part.status, 206);
      assert.equal(part.headers.get("content-range"), "bytes 15-19/20");
      assert.equal(await part.text(), "FGHIJ");
    }
  });

  for (
    const [how, path, options] of [
      ["by its path", join(www, "big.bin"), {}],
      ["below a root", "big.bin", { root: www }],
    ] as const
  ) {
    it(`sends large files ${how}`, async () => {
      assert.equal(await digest(await fileResponse(ask("/"), path, options)), sha256(big));
      const range = { range: "bytes=1000-2000999" };
      const part = await fileResponse(ask("/", range), path, options);
      assert.equal(part.headers.get("content-length"), "2000000");
      assert.equal(await digest(part), sha256(big.subarray(1000, 2_001_000)));
      const several = await fileResponse(ask("/", { range: "bytes=0-99999,-7" }), path, options);
      const body = Buffer.from(await several.arrayBuffer());
      assert.equal(several.headers.get("content-length"), String(body.length));
      assert.ok(body.includes(big.subarray(0, 100_000)));
      assert.ok(body.includes(big.subarray(-7)));
    });
  }

  it("has no body for HEAD, 304, 412 and 416", async () => {
    const path = join(www, "file.txt");
    const tag = (await fileResponse(ask("/"), path)).headers.get("etag")!;
    const cases: [number, Record<string, string>, string?][] = [
      [200, {}, "HEAD"],
      [304, { "if-none-match": tag }],
      [412, { "if-match": '"a"' }],
      [416, { range: "bytes=20-" }],
    ];
    for (const [status, headers, method] of cases) {
      const response = await fileResponse(ask("/", headers, method), path);
      assert.equal(response.status, status);
      assert.equal(await response.text(), "");
    }
    const refused = await fileResponse(ask("/", {}, "POST"), path);
    assert.equal(refused.status, 405);
  });

  it("knows what it has not, and does not leave the root", async () => {
    assert.equal((await fileResponse(ask("/"), join(www, "absent"))).status, 404);
    assert.equal((await fileResponse(ask("/"), www)).status, 404);
    assert.equal((await fileResponse(ask("/"), join(www, "fifo"))).status, 404);
    for (const path of ["../OUTSIDE", "link", "above/OUTSIDE", "/etc/passwd", "fifo", "."]) {
      const response = await fileResponse(ask("/"), path, { root: www });
      assert.equal(response.status, 404, path);
      assert.ok(!(await response.text()).includes(SECRET));
    }
  });

  it("refuses arguments of the wrong kind", async () => {
    await assert.rejects(fileResponse(ask("/"), ""), TypeError);
    await assert.rejects(fileResponse(ask("/"), "a\0b"), TypeError);
    await assert.rejects(fileResponse(ask("/"), 7 as never), TypeError);
    await assert.rejects(fileResponse(ask("/"), "a", { maxRanges: 0 }), RangeError);
  });

  it("closes the file when its body is not wanted", async () => {
    for (let i = 0; i < 20; i++) {
      const response = await fileResponse(ask("/"), "big.bin", { root: www });
      const reader = response.body!.getReader();
      if (i % 2 === 0) await reader.read();
      await reader.cancel();
    }
    await assertClosed(join(www, "big.bin"));
  });

  it("fails when the file becomes shorter, and never pads", async () => {
    const path = join(www, "shrinks");
    writeFileSync(path, big);
    const response = await fileResponse(ask("/"), "shrinks", { root: www });
    const reader = response.body!.getReader();
    let length = (await reader.read()).value!.length;
    truncateSync(path, 1_000_000);
    await assert.rejects(async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        length += value.length;
      }
    });
    assert.equal(length, 1_000_000);
  });
});

describe("serveStatic() with requests of fetch", () => {
  it("serves a folder", async () => {
    const files = serveStatic(www, { prefix: "/files" });
    assert.equal(await (await files(ask("/files/file.txt"))).text(), TWENTY);
    assert.equal(await (await files(ask("/files/"))).text(), "the index");
    assert.equal((await files(ask("/files"))).headers.get("location"), "./files/");
    assert.equal((await files(ask("/files/folder?a"))).headers.get("location"), "./folder/?a");
    assert.equal(await digest(await files(ask("/files/big.bin"))), sha256(big));
    for (
      const path of ["/file.txt", "/files/absent", "/files/.env", "/files/link", "/files/a%2fb"]
    ) {
      assert.equal((await files(ask(path))).status, 404, path);
    }
    assert.equal((await files(ask("/files/%00"))).status, 400);
    files.close();
  });

  it("is middleware of Hono", async () => {
    const files = serveStatic(www);
    const app = new Hono();
    app.use("/*", files);
    app.use("/*", (context: { text(text: string): Response }) => context.text("behind"));
    assert.equal(await (await app.fetch(ask("/file.txt"))).text(), TWENTY);
    assert.equal(await (await app.fetch(ask("/absent"))).text(), "behind");
    assert.equal((await app.fetch(ask("/folder"))).status, 301);
    files.close();
  });
});

describe("the runtime's own server", () => {
  const battery = async (port: number) => {
    const client = new Client(port);
    const whole = await client.get("/big.bin");
    assert.equal(whole.status, 200);
    assert.equal(sha256(whole.body), sha256(big));
    // Bun sends streams in chunks, whatever their Content-Length (oven-sh/bun issue 10507).
    if (Bun !== undefined) assert.equal(whole.headers["transfer-encoding"], "chunked");
    else assert.equal(whole.headers["content-length"], String(big.length));
    const part = await client.get("/big.bin", { range: "bytes=7-1000006" });
    assert.equal(part.status, 206);
    assert.equal(part.headers["content-range"], `bytes 7-1000006/${big.length}`);
    assert.equal(sha256(part.body), sha256(big.subarray(7, 1_000_007)));
    const several = await client.get("/big.bin", { range: "bytes=0-99999,-7" });
    assert.equal(several.status, 206);
    assert.ok(several.body.includes(big.subarray(0, 100_000)));
    const head = await client.get("/big.bin", {}, "HEAD");
    assert.equal(head.headers["content-length"], String(big.length));
    const { etag } = head.headers;
    assert.equal((await client.get("/big.bin", { "if-none-match": etag! })).status, 304);
    const small = await client.get("/file.txt");
    assert.equal(small.body.toString(), TWENTY);
    assert.equal(client.rest.length, 0);
    await client.close();
  };

  it("serves one file for fileResponse()", { skip: NO_SERVER }, async () => {
    await withFetchServer(
      (request) => fileResponse(request, join(www, new URL(request.url).pathname.slice(1))),
      battery,
    );
  });

  it("serves a folder for serveStatic()", { skip: NO_SERVER }, async () => {
    const files = serveStatic(www);
    await withFetchServer((request) => files(request), async (port) => {
      await battery(port);
      const client = new Client(port);
      for (
        const target of ["/link", "/above/OUTSIDE", "/..%2fOUTSIDE", "/%2e%2e/OUTSIDE", "/.env"]
      ) {
        const { status, body } = await client.get(target);
        assert.equal(status, 404, target);
        assert.ok(!body.includes(SECRET));
      }
      await client.close();
    });
    files.close();
  });

  it("is rid of those who hang up", { skip: NO_SERVER }, async () => {
    const files = serveStatic(www);
    await withFetchServer((request) => files(request), async (port) => {
      await battery(port);
      for (let i = 0; i < 10; i++) {
        const client = new Client(port).send("GET", "/big.bin");
        await new Promise((resolve) => client.socket.once("data", resolve));
        client.reset();
      }
      await assertClosed(join(www, "big.bin"));
    });
    files.close();
  });
});
